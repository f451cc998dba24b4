import type { FieldPath } from "../../../mesh/model/finding.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import type { WorkloadEntrySpec } from "../../../mesh/model/workload-entry.ts";
import { entryLabels } from "../../offline/service-entry-index.ts";
import type { Finding } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

/** By this label an endpoint says itself whether it takes mutual TLS. */
const TLS_MODE_LABEL = "security.istio.io/tlsMode";

/** Endpoints of the mesh without an identity: they are called in plaintext, and may call nobody who asks for one. */
export function* endpointIdentities(mesh: MeshFacts): Iterable<Finding> {
  const internal = mesh.list("ServiceEntry").filter(({ spec }) => spec.location === "MESH_INTERNAL");
  for (const subject of mesh.list("WorkloadEntry")) {
    const services = mesh.serviceEntriesOf(subject);
    const external = services.length > 0 && services.every(({ spec }) => spec.location === "MESH_EXTERNAL");
    if (!external) yield* check(subject, { ...subject.spec, labels: entryLabels(subject) }, ["spec"]);
  }
  for (const subject of internal) {
    for (const [index, endpoint] of subject.spec.endpoints.entries()) {
      yield* check(subject, endpoint, ["spec", "endpoints", index]);
    }
  }
}

function* check(
  subject: StoredObject,
  { serviceAccount, labels, address }: WorkloadEntrySpec,
  path: FieldPath,
): Iterable<Finding> {
  if (serviceAccount !== "" || labels[TLS_MODE_LABEL] !== undefined) return;
  const message = `${address} has no serviceAccount, so no identity: calls to it are plaintext`;
  yield { code: "LAT0001", subject, path, message };
}
