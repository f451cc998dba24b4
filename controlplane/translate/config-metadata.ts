import type { DecidingObject } from "../../mesh/admin-api/replies.ts";
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

/** The Istio object that a resource or a part of one was made from: `/apis/…/namespaces/NS/virtual-service/NAME`. */
export function originOf({ metadata }: { readonly metadata: Metadata | undefined }): string | undefined {
  const config: unknown = metadata?.filterMetadata["istio"]?.["config"];
  return typeof config === "string" ? config : undefined;
}

/** Reads such a path. */
export function objectAt(origin: string | undefined, rule = ""): DecidingObject | null {
  const [, namespace, kebab, name] = /\/namespaces\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(origin ?? "") ?? [];
  if (namespace === undefined || kebab === undefined || name === undefined) return null;
  const kind = kebab.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { kind, namespace, name, rule };
}
