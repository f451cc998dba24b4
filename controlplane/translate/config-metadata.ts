import type { StoredObject } from "../../mesh/model/object.ts";
import { Metadata } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";

/**
 * Names the object that decided a resource or a part of one, as Istio does: filter metadata `istio`, field `config`, the
 * path that Kubernetes would have for it, with the kind in kebab case.
 */
export function configMetadata({ apiVersion, kind, metadata }: StoredObject): Metadata {
  const group = apiVersion.split("/")[0] ?? "";
  const kebab = kind.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
  const config = `/apis/${group}/v1/namespaces/${metadata.namespace}/${kebab}/${metadata.name}`;
  return Metadata.fromPartial({ filterMetadata: { istio: { config } } });
}
