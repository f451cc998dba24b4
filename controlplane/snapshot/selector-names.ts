/** What a selector is found by: its namespace and its first label, so that labels lead to the few that may fit. */
export function selectorName(namespace: string, selector: Readonly<Record<string, string>>): string {
  const [first] = Object.entries(selector);
  return first === undefined ? `${namespace}/` : `${namespace}/${first.join("=")}`;
}

/** All names by which something with these labels is found. */
export function labelNames(namespace: string, labels: Readonly<Record<string, string>>): readonly string[] {
  return [`${namespace}/`, ...Object.entries(labels).map((label) => `${namespace}/${label.join("=")}`)];
}
