import type { StoredObject } from "../../../mesh/model/object.ts";
import { audience, seenTogether } from "../../policy/export-to.ts";
import { MESH_GATEWAY } from "../../snapshot/object-lists.ts";
import { type Finding, nameOf } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

type VirtualService = StoredObject<"VirtualService">;

/** VirtualServices of the mesh gateway that claim one host where the same clients see them: only the oldest counts. */
export function* virtualServiceMeshHosts(mesh: MeshFacts): Iterable<Finding> {
  const claims = new Map<string, { readonly subject: VirtualService; readonly index: number }[]>();
  for (const subject of mesh.list("VirtualService")) {
    const { gateways, hosts } = subject.spec;
    if (gateways.length > 0 && !gateways.includes(MESH_GATEWAY)) continue;
    for (const [index, host] of hosts.entries()) {
      const hostname = mesh.resolve(host, subject.metadata.namespace);
      claims.set(hostname, [...(claims.get(hostname) ?? []), { subject, index }]);
    }
  }
  for (const [hostname, claimants] of claims) {
    for (const { subject, index } of claimants) {
      const others = claimants.filter(
        (one) =>
          one.subject !== subject && seenTogether(audienceOf(one.subject, mesh), audienceOf(subject, mesh)),
      );
      if (others.length === 0) continue;
      const names = [subject, ...others.map((one) => one.subject)].map(nameOf).sort().join(", ");
      const message = `${names} are all for ${hostname} in the mesh, where they are not merged: make them one`;
      yield { code: "IST0109", subject, path: ["spec", "hosts", index], message };
    }
  }
}

function audienceOf({ spec, metadata }: VirtualService, { settings }: MeshFacts): ReadonlySet<string> {
  const said = spec.exportTo.length > 0 ? spec.exportTo : settings.mesh.defaultVirtualServiceExportTo;
  return audience(said, metadata.namespace);
}
