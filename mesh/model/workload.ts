import type { Protocol } from "./service.ts";
import type { WorkloadGroupSpec } from "./workload-group.ts";

/** Host and port pair. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** One port of a workload: what callers name, where its proxy is reached, where the application listens. */
export interface WorkloadPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly servicePort: number;
  readonly inbound: SocketAddress;
  /** Where its proxy binds, when that is not where it is reached: behind a port map. */
  readonly bind?: SocketAddress | undefined;
  readonly app: SocketAddress;
}

/** A service that the workload calls through a listener of its own. */
export interface WorkloadUpstream {
  /** As people write it; resolved against the workload's namespace. */
  readonly host: string;
  /** 0: the only, or first, port that the service has. */
  readonly port: number;
  readonly bind: SocketAddress;
}

/** The ports of a captured workload's proxy: one host may have several such workloads. */
export interface CapturedAt {
  /** Where the connections come in that its application makes. */
  readonly outbound: number;
  /** Where those come in that were going to its application. */
  readonly inbound: number;
  /** Connections of IPv6 are captured too: the proxy listens for both families. */
  readonly ipv6: boolean;
}

/**
 * One workload instance that an agent serves. It is one xDS node with its own identity (DESIGN D6), and its
 * registration is the fact from which the server decides who may have that identity (D4).
 */
export interface Workload {
  /** DNS label characters, dots and underscores; unique in the namespace. */
  readonly name: string;
  readonly namespace: string;
  /** Short name of the service it belongs to. */
  readonly service: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly WorkloadPort[];
  readonly upstreams: readonly WorkloadUpstream[];
  readonly healthy: boolean;
  readonly weight: number;
  readonly locality: string;
  /** Empty: the default network. */
  readonly network: string;
  /** A gateway has no application and takes in what Gateways that select it say. */
  readonly role: "sidecar" | "gateway";
  /** How connections come to the proxy; `none`: it binds every address that it serves (DESIGN D5). */
  readonly interception: "none" | "redirect" | "tproxy";
  /** Where rules of its host send its connections; undefined: where Istio's do (15001 and 15006, IPv4 alone). */
  readonly capturedAt: CapturedAt | undefined;
  /**
   * What it gets of the mesh. `upstreams`: what the declared ones need, for a workload without another way out; `mesh`:
   * all that is visible to it, as in Istio; `on-demand`: what the declared ones and its calls so far need.
   */
  readonly discovery: "upstreams" | "mesh" | "on-demand";
  /** Where an HTTP forward proxy for its application listens; undefined: none. */
  readonly httpProxy: SocketAddress | undefined;
  /**
   * At which addresses of services its proxy listens, each port a listener of its own; only without interception.
   * `loopback`: the twins of the mesh's addresses in 127.240.0.0/16, which anybody may bind; `routed`: those addresses
   * themselves, which the host has a route for (AnyIP).
   */
  readonly vips: Vips;
  /** Its agent takes what its proxy tells of calls (Envoy's access log service), and reports it. */
  readonly reportsCalls: boolean;
  /** What its registration asks for, where no PeerAuthentication that selects it says; `strict` also beats wider ones. */
  readonly mtls: "strict" | "permissive" | undefined;
  readonly dataPlane: "envoy" | "builtin";
  /** The catalog's record of it. Where set, the endpoint exists only as long as that catalog has the instance. */
  readonly catalog: { readonly registry: string; readonly instanceId: string } | undefined;
  /** The WorkloadGroup that it is made from. */
  readonly group: GroupMembership | undefined;
}

export type Vips = "none" | "loopback" | "routed";

/** What has a default where nobody says anything: the service account, the weight, and the label `app`. */
export const DEFAULTED: readonly ["serviceAccount", "weight", "app"] = ["serviceAccount", "weight", "app"];
export type Defaulted = (typeof DEFAULTED)[number];

export interface GroupMembership {
  /** Of a WorkloadGroup of the workload's namespace. */
  readonly name: string;
  /** What is a default here: a group's word comes before it. */
  readonly defaulted: readonly Defaulted[];
  /** Undefined: what the group says is not in the workload's fields. */
  readonly applied: AppliedGroup | undefined;
}

interface AppliedGroup {
  /** What is in the workload's fields. */
  readonly said: WorkloadGroupSpec;
  /** What its agent reported of them. */
  readonly own: Pick<Workload, "serviceAccount" | "labels" | "weight" | "locality" | "network">;
}

/** A workload as the server holds it. */
export interface PlacedWorkload extends Workload {
  /** The agent whose host it is on. */
  readonly agentId: string;
  /** Milliseconds since the epoch of its first registration. */
  readonly registeredAt: number;
  /** It, its identity or its host is banned: nobody is to call it, not even as what a catalog lists. */
  readonly banned: boolean;
}

/** `namespace/name`, unique in the mesh. */
export type WorkloadId = string;

export function workloadId(workload: Pick<Workload, "namespace" | "name">): WorkloadId {
  return `${workload.namespace}/${workload.name}`;
}
