const PREFIX = "@request.auth.claims";

/**
 * The claim of a verified token that a header match of this name asks about: `@request.auth.claims.group.id` and
 * `@request.auth.claims[group][id]` are `["group", "id"]`. Undefined: it asks about a header.
 */
export function claimPath(header: string): readonly string[] | undefined {
  if (!header.toLowerCase().startsWith(PREFIX)) return undefined;
  const rest = header.slice(PREFIX.length);
  if (rest.startsWith(".") && rest.length > 1) return rest.slice(1).split(".");
  if (rest.startsWith("[") && rest.endsWith("]") && rest.length > 2) return rest.slice(1, -1).split("][");
  return undefined;
}
