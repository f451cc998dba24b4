import { MESH_GATEWAY } from "../../snapshot/object-lists.ts";
import type { Finding } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

/** Headers by which a gateway asks for the claims of a verified JWT. */
const CLAIM = /^@request\.auth\.claims[.[]/;

/**
 * Routing by the claims of a JWT needs a RequestAuthentication that verifies it at the gateway. There is no such kind
 * here yet, so that no claim is ever there.
 */
export function* virtualServiceClaims(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("VirtualService")) {
    const gateways = subject.spec.gateways.filter((gateway) => gateway !== MESH_GATEWAY);
    if (gateways.length === 0) continue;
    for (const [rule, { match }] of subject.spec.http.entries()) {
      for (const [index, { headers, withoutHeaders }] of match.entries()) {
        for (const [field, names] of Object.entries({ headers, withoutHeaders })) {
          for (const name of Object.keys(names).filter((key) => CLAIM.test(key))) {
            yield {
              code: "IST0149",
              subject,
              path: ["spec", "http", rule, "match", index, field, name],
              message: `${name} is matched, and no RequestAuthentication verifies a JWT at ${gateways.join(", ")}`,
            };
          }
        }
      }
    }
  }
}
