/** `namespace/name` as istioctl prints it: `reviews-v1.default`. */
export function workloadLabel(workload: string): string {
  const [namespace = "", name = ""] = workload.split("/");
  return `${name}.${namespace}`;
}

/**
 * The workloads (`namespace/name`) that a user may mean, likeliest first: `ns/name` is plain; `reviews-v1` is of the
 * current namespace; `reviews-v1.shop` is istioctl's form, but a name may itself have dots.
 */
export function workloadCandidates(text: string, namespace: string): readonly string[] {
  if (text.includes("/")) return [text];
  const dot = text.lastIndexOf(".");
  const qualified = dot > 0 && dot < text.length - 1 ? [`${text.slice(dot + 1)}/${text.slice(0, dot)}`] : [];
  return [`${namespace}/${text}`, ...qualified];
}
