import { hostMatches } from "../../../mesh/model/hosts.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { gatewayKey, MESH_GATEWAY } from "../../snapshot/object-lists.ts";
import { type Finding, nameOf } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

/** Gateways that a VirtualService names: that they exist, and that they take in one of its hosts. */
export function* virtualServiceGateways(mesh: MeshFacts): Iterable<Finding> {
  const gateways = new Map(mesh.list("Gateway").map((gateway) => [nameOf(gateway), gateway]));
  for (const subject of mesh.list("VirtualService")) {
    for (const [index, written] of subject.spec.gateways.entries()) {
      if (written === MESH_GATEWAY) continue;
      const path = ["spec", "gateways", index];
      const key = gatewayKey(written, subject.metadata.namespace);
      const gateway = gateways.get(key);
      if (gateway === undefined) {
        yield { code: "IST0101", subject, path, message: `there is no Gateway ${key}` };
      } else if (!takesHostOf(gateway, subject)) {
        const hosts = subject.spec.hosts.join(", ");
        yield {
          code: "IST0132",
          subject,
          path,
          message: `no server of Gateway ${key} has a host for ${hosts}`,
        };
      }
    }
  }
}

function takesHostOf(
  gateway: StoredObject<"Gateway">,
  { spec, metadata }: StoredObject<"VirtualService">,
): boolean {
  return gateway.spec.servers
    .flatMap(({ hosts }) => hosts)
    .some(({ namespace, host }) => {
      const from = namespace === "." ? gateway.metadata.namespace : namespace;
      if (from !== "*" && from !== metadata.namespace) return false;
      return spec.hosts.some((wanted) => hostMatches(host, wanted) || hostMatches(wanted, host));
    });
}
