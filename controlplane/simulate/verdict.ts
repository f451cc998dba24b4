import type { FilterChain } from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { Route } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";

/** How Envoy would treat a call, step by step, as far as it comes. */
export interface Verdict {
  readonly listener: ListenerStep | undefined;
  readonly filterChain: FilterChainStep | undefined;
  /** What the filters say that guard the listener, in their order, up to one that refuses. */
  readonly policies: readonly PolicyStep[];
  readonly virtualHost: VirtualHostStep | undefined;
  readonly route: RouteStep | undefined;
  readonly action: Action | undefined;
  /** Where a forwarded call goes. */
  readonly upstreams: readonly Upstream[];
  /** Virtual hosts and clusters that the proxy would ask its server for before it goes on. */
  readonly asksFor: readonly string[];
  readonly outcome: Outcome;
}

interface ListenerStep {
  readonly name: string;
  readonly why: string;
  /** The listener that took the connection and handed it on by its original destination. */
  readonly via: string | undefined;
}

interface FilterChainStep {
  /** Empty when nobody named it. */
  readonly name: string;
  /** Place in the listener; `default`: none matched. */
  readonly index: number | "default";
  readonly why: string;
  /** Filters on the way whose say is not simulated: authorization, authentication, extensions. */
  readonly unevaluated: readonly string[];
  /** The Istio object that it was made from, as its metadata has it. */
  readonly origin: string | undefined;
  /** The chain itself: how it is told which rule of the object it is. */
  readonly chain: FilterChain;
}

export type PolicyStep =
  /** Tokens of the caller: whose they are, or why they are no good. */
  | { readonly kind: "authentication"; readonly allowed: boolean; readonly told: string }
  /** An authorizer that is asked, and whose answer nobody knows here: the call goes on as if it were yes. */
  | { readonly kind: "question"; readonly cluster: string; readonly policy: string }
  | {
      readonly kind: "authorization";
      readonly action: "ALLOW" | "DENY" | "LOG";
      /** A dry run: nothing comes of it. */
      readonly shadow: boolean;
      readonly allowed: boolean;
      /** The policy and rule that matched; undefined when none did. */
      readonly policy: string | undefined;
      /** Those that may match: they ask for what is hidden of the call, which goes on. */
      readonly undecided: readonly string[];
    };

interface VirtualHostStep {
  /** The route configuration, and whether it comes by RDS or lies in the listener. */
  readonly configuration: string;
  readonly name: string;
  /** The domain that matched; `*` takes all. */
  readonly domain: string;
  /** The host that was looked for, after ports were stripped. */
  readonly host: string;
}

export interface RouteStep {
  readonly name: string;
  readonly index: number;
  /** What the route asks for, in words. */
  readonly match: string;
  /** Part of the calls that it takes: less than 1 for a runtime fraction without a pick. */
  readonly share: number;
  /** The routes that take the others, in order, when `share` is less than 1. */
  readonly otherwise: readonly { readonly name: string; readonly index: number; readonly share: number }[];
  /** As in a filter chain. */
  readonly origin: string | undefined;
  /** The route itself: how it is told which rule of the object it is. */
  readonly route: Route;
}

export type Action = ForwardAction | RedirectStep | RespondStep;

export interface ForwardAction {
  readonly kind: "forward";
  /** `http`, or a connection passed on as it is. */
  readonly level: "http" | "tcp";
  readonly targets: readonly Target[];
  /** What a consistent hash is made of: `header x-user`. */
  readonly hashOn: readonly string[];
  /** Undefined on a plain connection. */
  readonly edits: RequestEdits | undefined;
}

export interface Target {
  readonly cluster: string;
  /** Of all calls of this action, in [0,1]. */
  readonly share: number;
  /** Header changes for this cluster alone, in words. */
  readonly edits: readonly string[];
}

/** What is done to a request on its way, and to its response. */
export interface RequestEdits {
  /** As the upstream gets them. */
  readonly path: string;
  readonly authority: string;
  /** In the order in which they are applied: `set x: y`, `add x: y`, `remove x`. */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  /** Undefined: no limit. */
  readonly timeoutMs: number | undefined;
  readonly retries: Retries | undefined;
  readonly fault: Fault | undefined;
  readonly mirrors: readonly Omit<Target, "edits">[];
}

export interface Retries {
  readonly attempts: number;
  readonly on: string;
  readonly perTryTimeoutMs: number | undefined;
}

export interface Fault {
  readonly delay: { readonly ms: number; readonly share: number } | undefined;
  readonly abort: { readonly status: string; readonly share: number } | undefined;
}

export interface RedirectStep {
  readonly kind: "redirect";
  readonly status: number;
  readonly location: string;
}

export interface RespondStep {
  readonly kind: "respond";
  readonly status: number;
  readonly body: string;
}

/** A cluster and the endpoints that it can choose from. */
export interface Upstream extends Omit<Target, "edits"> {
  /** EDS, STATIC, STRICT_DNS, …; undefined when there is no such cluster. */
  readonly discovery: string | undefined;
  readonly balancer: string | undefined;
  readonly endpoints: readonly UpstreamEndpoint[];
  /** Why nothing arrives there. */
  readonly error: Failure | undefined;
  readonly origin: string | undefined;
}

export interface UpstreamEndpoint {
  /** `address:port`, or a path. */
  readonly address: string;
  readonly priority: number;
  /** `region/zone/subzone`; empty when unknown. */
  readonly locality: string;
  readonly weight: number;
  readonly healthy: boolean;
  /** Part of the cluster's calls that the priorities, localities and weights give it; balancers deviate with load. */
  readonly share: number;
  readonly transport: UpstreamTransport;
}

export interface UpstreamTransport {
  /** Name of the matched transport socket; empty for the cluster's own. */
  readonly match: string;
  readonly kind: "tls" | "plaintext" | "other";
  readonly sni: string;
  readonly alpn: readonly string[];
}

export type FailureKind =
  | "no-listener"
  | "no-filter-chain"
  | "connection-reset"
  | "bad-request"
  | "unauthenticated"
  | "denied"
  | "no-route-configuration"
  | "no-virtual-host"
  | "no-route"
  | "fault"
  | "no-cluster"
  | "no-healthy-upstream"
  | "black-hole"
  | "not-simulated";

/** Why a call does not arrive; `status` is what an HTTP caller is answered. */
export interface Failure {
  readonly kind: FailureKind;
  readonly status: number | undefined;
  readonly reason: string;
}

export type Outcome =
  /** It arrives, or the part `share` of the calls does: the others meet the errors of their upstreams. */
  | { readonly kind: "forward"; readonly share: number }
  /** It goes to where the caller wanted to go, past the mesh's routing. */
  | { readonly kind: "passthrough"; readonly address: string }
  | RedirectStep
  | RespondStep
  | ({ readonly kind: "error" } & { readonly error: Failure });

export function failure(kind: FailureKind, reason: string, status?: number): Failure {
  return { kind, status, reason };
}
