import type { ConnectionPool } from "./destination-rule.ts";
import type { ServerTls } from "./gateway.ts";
import type { Protocol } from "./service.ts";
import type { Destination } from "./virtual-service.ts";

/** `networking.istio.io` Sidecar: what the proxies of a namespace, or some of them, take in and reach. */
export interface SidecarSpec {
  /** Undefined: all workloads of the namespace (of the mesh, in the root namespace). */
  readonly workloadSelector: Readonly<Record<string, string>> | undefined;
  /** Empty: what the workload's services say. */
  readonly ingress: readonly SidecarIngress[];
  /** Empty: everything visible. */
  readonly egress: readonly SidecarEgress[];
  readonly inboundConnectionPool: ConnectionPool | undefined;
  readonly outboundTrafficPolicy: OutboundTrafficPolicy | undefined;
}

export interface OutboundTrafficPolicy {
  /** `ALLOW_ANY_DYNAMIC_DNS`: HTTP calls go to the host that they name, not to the address; a MeshConfig's alone. */
  readonly mode: "REGISTRY_ONLY" | "ALLOW_ANY" | "ALLOW_ANY_DYNAMIC_DNS";
  /** Where calls to unknown destinations go; undefined: straight there, or nowhere. */
  readonly egressProxy: Destination | undefined;
}

/** `IPTABLES`: captured whatever the workload says; `NONE`: really bound. */
export type CaptureMode = "DEFAULT" | "IPTABLES" | "NONE";

export interface SidecarPort {
  /** 0 for an egress listener that is bound to a socket. */
  readonly number: number;
  readonly protocol: Protocol;
  readonly name: string;
}

export interface SidecarIngress {
  /** Where `tls` takes TLS off, its protocol is that of what is inside. */
  readonly port: SidecarPort;
  /** IP address; empty: the workload's. */
  readonly bind: string;
  readonly captureMode: CaptureMode;
  /** `127.0.0.1:8080`, `0.0.0.0:8080`, `unix:///path`; empty: the same port of the workload. */
  readonly defaultEndpoint: string;
  readonly tls: ServerTls | undefined;
  readonly connectionPool: ConnectionPool | undefined;
}

export interface SidecarEgress {
  /** Undefined: every port of the hosts. */
  readonly port: SidecarPort | undefined;
  /** IP address or `unix:///path`; empty: the services' addresses when captured, else 127.0.0.1. */
  readonly bind: string;
  readonly captureMode: CaptureMode;
  readonly hosts: readonly EgressHost[];
}

export interface EgressHost {
  /** `*`: all; `.`: the Sidecar's own; `~`: none; else a name. */
  readonly namespace: string;
  /** A host name, with `*` at its start or by itself. */
  readonly host: string;
  /** `~ns/host`: taken out of what the others bring in. */
  readonly excluded: boolean;
}
