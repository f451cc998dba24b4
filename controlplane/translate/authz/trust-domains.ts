import type { MeshSettings } from "../../snapshot/mesh-snapshot.ts";
import type { TrustDomains } from "./principal.ts";

/** The names under which peers are of this mesh. */
export function trustDomainsOf({ trustDomain, mesh }: MeshSettings): TrustDomains {
  return [trustDomain, ...mesh.trustDomainAliases];
}
