/** `networking.istio.io` EnvoyFilter: changes to what was translated, as its author wrote them. */
export interface EnvoyFilterSpec {
  readonly workloadSelector: Readonly<Record<string, string>>;
  readonly configPatches: readonly ConfigPatch[];
  readonly priority: number;
}

export type ApplyTo =
  | "LISTENER"
  | "FILTER_CHAIN"
  | "NETWORK_FILTER"
  | "HTTP_FILTER"
  | "ROUTE_CONFIGURATION"
  | "VIRTUAL_HOST"
  | "HTTP_ROUTE"
  | "CLUSTER"
  | "EXTENSION_CONFIG"
  | "BOOTSTRAP"
  | "LISTENER_FILTER";

export type PatchContext = "ANY" | "SIDECAR_INBOUND" | "SIDECAR_OUTBOUND" | "GATEWAY";

export type PatchOperation =
  | "MERGE"
  | "ADD"
  | "REMOVE"
  | "INSERT_BEFORE"
  | "INSERT_AFTER"
  | "INSERT_FIRST"
  | "REPLACE"
  | "MERGE_AND_REPLACE_LIST";

export interface ConfigPatch {
  readonly applyTo: ApplyTo;
  readonly match: PatchMatch;
  readonly operation: PatchOperation;
  /** ProtoJSON of the message that `applyTo` names, or of a part of it; undefined for REMOVE. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly filterClass: "AUTHN" | "AUTHZ" | "STATS" | undefined;
}

/** Empty strings and undefined match everything. */
export interface PatchMatch {
  readonly context: PatchContext;
  readonly proxy: {
    /** RE2. */
    readonly version: string;
    readonly metadata: Readonly<Record<string, string>>;
  };
  readonly listener: ListenerMatch | undefined;
  readonly route: RouteConfigurationMatch | undefined;
  readonly cluster: ClusterMatch | undefined;
}

export interface ListenerMatch {
  readonly name: string;
  readonly portNumber: number | undefined;
  readonly portName: string;
  readonly listenerFilter: string;
  readonly filterChain:
    | {
        readonly name: string;
        readonly sni: string;
        readonly transportProtocol: string;
        /** Comma-separated. */
        readonly applicationProtocols: string;
        readonly destinationPort: number | undefined;
        readonly filter: { readonly name: string; readonly subFilter: string } | undefined;
      }
    | undefined;
}

export interface RouteConfigurationMatch {
  readonly name: string;
  readonly portNumber: number | undefined;
  readonly portName: string;
  /** `namespace/name`. */
  readonly gateway: string;
  readonly virtualHost:
    | {
        readonly name: string;
        readonly domainName: string;
        readonly route:
          | {
              readonly name: string;
              readonly action: "ANY" | "ROUTE" | "REDIRECT" | "DIRECT_RESPONSE";
            }
          | undefined;
      }
    | undefined;
}

export interface ClusterMatch {
  readonly name: string;
  readonly portNumber: number | undefined;
  /** Fully qualified host name. */
  readonly service: string;
  readonly subset: string;
}
