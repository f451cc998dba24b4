import type { Finding } from "./finding.ts";
import type { MeshFacts } from "./mesh-facts.ts";

/** Namespaces that an AuthorizationPolicy names and in which there is nothing. */
export function* authorizationPolicyNamespaces(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("AuthorizationPolicy")) {
    for (const [rule, { from }] of subject.spec.rules.entries()) {
      for (const [index, source] of from.entries()) {
        for (const field of ["namespaces", "notNamespaces"] as const) {
          for (const [position, pattern] of source[field].entries()) {
            if ([...mesh.namespaces].some((namespace) => covers(pattern, namespace))) continue;
            const path = ["spec", "rules", rule, "from", index, "source", field, position];
            yield { code: "IST0101", subject, path, message: `there is nothing in namespace ${pattern}` };
          }
        }
      }
    }
  }
}

/** Istio's: `*` at the start, at the end, or alone. */
function covers(pattern: string, namespace: string): boolean {
  if (pattern === "*") return true;
  if (pattern.startsWith("*")) return namespace.endsWith(pattern.slice(1));
  if (pattern.endsWith("*")) return namespace.startsWith(pattern.slice(0, -1));
  return pattern.toLowerCase() === namespace;
}
