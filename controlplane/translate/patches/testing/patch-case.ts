import type { ApplyTo, PatchOperation } from "../../../../mesh/model/envoy-filter.ts";

export interface PatchCase {
  readonly name: string;
  /** Entries of `configPatches`. */
  readonly patches: readonly object[];
  /** Default: sidecar. */
  readonly role?: "gateway";
  /** True: no resource is changed. */
  readonly nothing?: true;
  /** True: the outcome is one that Envoy does not take, as the author of the patch has to know. */
  readonly refused?: true;
}

/** An entry of `configPatches`; `match` has `context` and the rest beside each other. */
export function patch(applyTo: ApplyTo, operation: PatchOperation, match: object, value?: object): object {
  return { applyTo, match, patch: { operation, ...(value === undefined ? {} : { value }) } };
}

/** A filter with its configuration. */
export function filter(name: string, type: string, config: object = {}): object {
  return {
    name,
    typed_config: { "@type": `type.googleapis.com/envoy.extensions.filters.${type}`, ...config },
  };
}

export const MANAGER = "envoy.filters.network.http_connection_manager";
export const MANAGER_TYPE = "network.http_connection_manager.v3.HttpConnectionManager";

export function lua(code = "--"): object {
  return filter("envoy.filters.http.lua", "http.lua.v3.Lua", {
    default_source_code: { inline_string: code },
  });
}
