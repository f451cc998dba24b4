import type { Format } from "../format/format.ts";
import type { HeaderMatch, QueryMatch, StringMatch } from "./match.ts";
import type { MetadataMatch } from "./metadata.ts";

/** What RDS delivers, or a listener carries inline: which cluster a request goes to, and how. */
export interface RouteConfiguration {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly edits: MessageEdits;
  readonly ignorePortInHost: boolean;
  /** Virtual hosts that are not here are asked for when they are called (VHDS). */
  readonly onDemand: boolean;
}

export interface VirtualHost {
  readonly name: string;
  /** Exact names, `*.suffix`, `prefix.*` or `*`; lower case. */
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  readonly edits: MessageEdits;
  readonly retry: RetryPolicy | undefined;
  readonly filters: FilterSettings;
  /** Requests that did not come over TLS are sent there (301). */
  readonly requireTls: boolean;
  /** Tells the upstream which attempt it sees (`x-envoy-attempt-count`). */
  readonly includeAttemptCount: boolean;
}

export interface Route {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: RouteAction;
  readonly edits: MessageEdits;
  readonly filters: FilterSettings;
}

/** What a route or a virtual host hands to the filters of the listener. */
export interface FilterSettings {
  readonly fault: Fault | undefined;
  readonly cors: CorsPolicy | undefined;
  /** Mesh TLS to the upstream says that what it carries is HTTP, whatever the cluster says. */
  readonly saysHttp: boolean;
}

/** Which pages of other origins may read the answers (Fetch standard, "CORS protocol"). */
export interface CorsPolicy {
  /** Any of them; `*` stands for every origin. */
  readonly origins: readonly StringMatch[];
  /** The next four are values of response headers; empty: the header is not sent. */
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  readonly credentials: boolean;
  /** Whether preflights of other origins go on to the upstream, or are answered here without a permit. */
  readonly forwardUnmatchedPreflights: boolean;
  /** Part of the requests that the policy counts for, 0 to 1. */
  readonly fraction: number;
}

export interface RouteMatch {
  readonly path: PathMatch;
  readonly headers: readonly HeaderMatch[];
  readonly query: readonly QueryMatch[];
  /** Part of the requests that may take the route at all, 0 to 1. */
  readonly fraction: number;
  /** On what filters have left behind about the request. */
  readonly metadata: readonly MetadataMatch[];
}

/** On the path without its query. `path-prefix` ends at a segment's end; `prefix` is a plain string prefix. */
export type PathMatch =
  | {
      readonly kind: "exact" | "prefix" | "path-prefix";
      readonly value: string;
      readonly ignoreCase: boolean;
    }
  | { readonly kind: "regex"; readonly value: string };

export type RouteAction =
  | ForwardAction
  | RedirectAction
  | { readonly kind: "respond"; readonly status: number; readonly body: Uint8Array };

export interface ForwardAction {
  readonly kind: "forward";
  /** Total weight above 0. */
  readonly clusters: readonly WeightedCluster[];
  readonly pathRewrite: PathRewrite | undefined;
  readonly authorityRewrite: string | undefined;
  /** The whole exchange with all its attempts; 0 is without limit. */
  readonly timeoutMs: number;
  /** Undefined: a caller's `grpc-timeout` does not count; otherwise the most that it may ask for, 0 without limit. */
  readonly grpcTimeoutMaxMs: number | undefined;
  /** No byte in either direction for this long; 0 is without limit, undefined the connection manager's. */
  readonly idleTimeoutMs: number | undefined;
  readonly retry: RetryPolicy | undefined;
  /** When the cluster does not exist. */
  readonly clusterNotFoundStatus: number;
  /** Clusters that get a copy of the request; what they answer is dropped. */
  readonly mirrors: readonly Mirror[];
  /** What consistent hashing goes by. */
  readonly hash: readonly HashPolicy[];
}

export interface Mirror {
  readonly cluster: string;
  /** Part of the requests that are copied, 0 to 1. */
  readonly fraction: number;
  /** Whether the host is told apart as `<host>-shadow`. */
  readonly suffix: boolean;
}

export interface HashPolicy {
  readonly key: HashKey;
  /** When it yields a hash, the policies after it are not looked at. */
  readonly terminal: boolean;
}

export type HashKey =
  | { readonly kind: "header" | "query"; readonly name: string }
  | { readonly kind: "source-ip" }
  | {
      readonly kind: "cookie";
      readonly name: string;
      /** Seconds; 0 is until the browser closes. Undefined: a request without the cookie has no hash. */
      readonly ttlSeconds: number | undefined;
      readonly path: string;
      /** After the path, as in `SameSite=Lax`; a value may be empty. */
      readonly attributes: readonly { readonly name: string; readonly value: string }[];
    };

export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
  readonly edits: MessageEdits;
  readonly authorityRewrite: string | undefined;
  /** As in `FilterSettings`. */
  readonly saysHttp: boolean;
}

export type PathRewrite =
  | { readonly kind: "prefix"; readonly value: string }
  /** `substitution` refers to groups as RE2 does: `\1`. */
  | { readonly kind: "regex"; readonly pattern: string; readonly substitution: string };

export interface RedirectAction {
  readonly kind: "redirect";
  readonly status: number;
  readonly scheme: string | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly path: string | undefined;
  readonly rewrite: PathRewrite | undefined;
  readonly stripQuery: boolean;
}

export type RetryCondition =
  | "5xx"
  | "gateway-error"
  | "reset"
  | "reset-before-request"
  | "connect-failure"
  | "refused-stream"
  | "retriable-4xx"
  | "retriable-status-codes"
  | "retriable-headers"
  | "unavailable"
  | "cancelled"
  | "deadline-exceeded"
  | "internal"
  | "resource-exhausted";

export interface RetryPolicy {
  readonly on: ReadonlySet<RetryCondition>;
  /** Beside the first attempt. */
  readonly retries: number;
  /** 0 is without limit. */
  readonly perTryTimeoutMs: number;
  readonly statusCodes: ReadonlySet<number>;
  readonly responseHeaders: readonly HeaderMatch[];
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** Prefer endpoints that this request has not tried. */
  readonly avoidPreviousHosts: boolean;
  /** After so many attempts the priorities that were tried are left out; 0: never. */
  readonly avoidPrioritiesAfter: number;
}

/** Faults that are injected on purpose; fractions are 0 to 1. */
export interface Fault {
  readonly delay: { readonly ms: number; readonly fraction: number } | undefined;
  readonly abort:
    | { readonly status: number; readonly grpcStatus: number | undefined; readonly fraction: number }
    | undefined;
  readonly headers: readonly HeaderMatch[];
  /** Only for requests to this cluster; empty: any. */
  readonly upstreamCluster: string;
}

export interface MessageEdits {
  readonly request: HeaderEdits;
  readonly response: HeaderEdits;
}

export interface HeaderEdits {
  /** Lower case; removed before anything is added. */
  readonly remove: readonly string[];
  readonly add: readonly HeaderEdit[];
}

export interface HeaderEdit {
  readonly name: string;
  readonly value: string | Format;
  readonly action: "append" | "set" | "add-if-absent" | "replace-if-present";
  /** A value that comes out empty is written nevertheless. */
  readonly keepEmpty?: boolean;
}
