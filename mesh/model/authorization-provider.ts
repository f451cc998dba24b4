/** Someone who is asked whether a request may pass (MeshConfig `extensionProviders`). */
export interface AuthorizationProvider {
  readonly name: string;
  readonly protocol: "http" | "grpc";
  /** Host name, and the namespace from which it is meant; empty: that of the workload that asks. */
  readonly service: { readonly namespace: string; readonly host: string };
  readonly port: number;
  readonly timeoutMs: number;
  /** Whether requests pass while it cannot be asked. */
  readonly failOpen: boolean;
  /** What a caller is answered while it cannot be asked. */
  readonly statusOnError: number;
  /** Whether the route is chosen anew after its answer. */
  readonly clearRouteCache: boolean;
  /** How much of the request's body it is given; undefined: nothing. */
  readonly body:
    | { readonly maxBytes: number; readonly allowPartial: boolean; readonly asBytes: boolean }
    | undefined;
  /** Names of headers, which may have `*` as prefix, as suffix or alone. Of an HTTP provider only. */
  readonly headers: {
    readonly inCheck: readonly string[];
    readonly toUpstreamOnAllow: readonly string[];
    readonly toDownstreamOnAllow: readonly string[];
    readonly toDownstreamOnDeny: readonly string[];
  };
  /** Headers that each of its requests has besides. */
  readonly additional: Readonly<Record<string, string>>;
  readonly pathPrefix: string;
}
