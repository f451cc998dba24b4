import type { DecidingObject } from "../../mesh/admin-api/replies.ts";
import type { Metadata } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";

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
