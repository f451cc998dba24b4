import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import type { CaptureOwner } from "../../mesh/model/capture-owner.ts";
import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import type { Protocol } from "../../mesh/model/service.ts";
import type { GroupMembership, SocketAddress, Workload } from "../../mesh/model/workload.ts";

/** A service instance that runs on this host and wants to be in the mesh. */
export interface LocalService {
  /** The source's id of it; becomes the workload's name. */
  readonly id: string;
  readonly service: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Where others reach it: the address and port of its registration. */
  readonly address: SocketAddress;
  /** Where its proxy takes calls; left out: at `address`, unless its application is there already. */
  readonly inbound?: InboundWish;
  /** Where the application listens, when the source says so; the agent works it out otherwise (DESIGN D5). */
  readonly app: SocketAddress | undefined;
  /** The port that callers name. */
  readonly servicePort: number;
  readonly protocol: Protocol;
  readonly labels: Readonly<Record<string, string>>;
  readonly upstreams: readonly LocalUpstream[];
  readonly healthy: boolean;
  readonly weight: number;
  /** Empty: the host's. */
  readonly locality: string;
  /** Empty: the host's. */
  readonly network: string;
  /** Undefined: what its ways out ask for. */
  readonly discovery: Workload["discovery"] | undefined;
  /** How its connections come to its proxy. The agent redirects nothing: rules of the host do (`lateen capture`). */
  readonly interception: "none" | "redirect";
  /** Whose connections are its own, where they are captured; undefined: those of who listens at its port. */
  readonly owner: CaptureOwner | undefined;
  /** Where its HTTP forward proxy listens; without an address, at the agent's loopback one. Undefined: it has none. */
  readonly httpProxy: { readonly address: string | undefined; readonly port: number } | undefined;
  /** Its application calls other services by their names and addresses: its proxy listens there. */
  readonly vips: boolean;
  /** What counts where no PeerAuthentication says. */
  readonly mtls: Workload["mtls"];
  /** The catalog that must have this instance for it to be an endpoint. */
  readonly catalog: { readonly registry: string; readonly instanceId: string } | undefined;
  /** The WorkloadGroup of its namespace that it is made from, and what is a default here that the group may say. */
  readonly group: Omit<GroupMembership, "applied"> | undefined;
  /** How its application is asked whether it is ready; undefined: as its group says. */
  readonly probe: ReadinessProbe | undefined;
}

export type InboundWish =
  /** The registration's port is the application's, seen to listen or not: a port of the mesh beside it. */
  | { readonly kind: "mesh-port" }
  /** Behind a port map: others reach it at one place, and it binds at another. */
  | { readonly kind: "mapped"; readonly announced: SocketAddress; readonly bind: SocketAddress }
  /** It takes none: it only calls others. */
  | { readonly kind: "none" };

export interface LocalUpstream {
  readonly host: string;
  readonly port: number;
  /** Undefined fields are chosen by the agent: its loopback address, the same port. */
  readonly bindAddress: string | undefined;
  readonly bindPort: number | undefined;
}

/** A source of the services on this host: the local Consul agent, files. */
export interface Discovery {
  readonly name: string;
  /** What of the source could not be used when it was last looked at. Left out: it tells the log alone. */
  readonly findings?: readonly HostFinding[];
  /** Of files: the SHA-256 (hex) of each text that counts, by path. Left out: it has no files. */
  readonly files?: Readonly<Record<string, string>>;
  /**
   * Yields the full set, first as it is and again after each change of it or of `files`, until the signal is aborted (then it returns).
   * Never throws for an outage: it retries and yields nothing new meanwhile.
   */
  watch(signal: AbortSignal): AsyncIterable<readonly LocalService[]>;
}

/** Of a host that has no services of its own. */
export const noDiscovery: Discovery = {
  name: "none",
  async *watch() {
    yield [];
  },
};
