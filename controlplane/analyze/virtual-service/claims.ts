import type { StoredObject } from "../../../mesh/model/object.ts";
import { selects } from "../../snapshot/labels.ts";
import { gatewayKey, MESH_GATEWAY } from "../../snapshot/object-lists.ts";
import type { Finding } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

/** Headers by which a gateway asks for the claims of a verified JWT. */
const CLAIM = /^@request\.auth\.claims[.[]/;

/** Routing by the claims of a JWT needs a RequestAuthentication that verifies it at the gateway. */
export function* virtualServiceClaims(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("VirtualService")) {
    const gateways = subject.spec.gateways.filter((gateway) => gateway !== MESH_GATEWAY);
    const blind = gateways.filter((gateway) => !verifiesTokens(mesh, subject, gateway));
    if (blind.length === 0) continue;
    for (const [rule, { match }] of subject.spec.http.entries()) {
      for (const [index, { headers, withoutHeaders }] of match.entries()) {
        for (const [field, names] of Object.entries({ headers, withoutHeaders })) {
          for (const name of Object.keys(names).filter((key) => CLAIM.test(key))) {
            yield {
              code: "IST0149",
              subject,
              path: ["spec", "http", rule, "match", index, field, name],
              message: `${name} is matched, and no RequestAuthentication verifies a JWT at ${blind.join(", ")}`,
            };
          }
        }
      }
    }
  }
}

/** Whether every workload of a gateway looks for tokens; one without workloads is another finding's. */
function verifiesTokens(
  mesh: MeshFacts,
  { metadata }: StoredObject<"VirtualService">,
  gateway: string,
): boolean {
  const key = gatewayKey(gateway, metadata.namespace);
  const found = mesh.list("Gateway").find((one) => `${one.metadata.namespace}/${one.metadata.name}` === key);
  const workloads = found === undefined ? [] : mesh.gatewayWorkloads(found.spec.selector);
  const asking = mesh.list("RequestAuthentication").filter(({ spec }) => spec.jwtRules.length > 0);
  if (workloads.length === 0) return asking.length > 0;
  return workloads.every(({ namespace, labels }) =>
    asking.some(
      (one) =>
        [namespace, mesh.settings.rootNamespace].includes(one.metadata.namespace) &&
        selects(one.spec.selector, labels),
    ),
  );
}
