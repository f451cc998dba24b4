import type { FindingSeverity } from "./host-finding.ts";

/** What `GET /status` of an agent answers. Times are ISO 8601. */
export interface AgentStatus {
  readonly agent: {
    readonly id: string;
    readonly trustDomain: string;
    readonly version: string;
    readonly pid: number;
    readonly certificateExpires: string;
  };
  readonly server: {
    readonly address: string;
    readonly connected: boolean;
    readonly registration: string;
    /** Why this host is not of the mesh any more, and what to do; undefined: it is, or the server is away. */
    readonly problem: { readonly message: string; readonly hint: string } | undefined;
  };
  readonly discovery: {
    readonly source: string;
    readonly state: "waiting" | "known";
    /** Of files: the SHA-256 (hex) of the text that is in force, by path. */
    readonly files: Readonly<Record<string, string>>;
  };
  readonly dns: DnsStatus;
  readonly workloads: readonly WorkloadStatus[];
  /** `namespace/name` of those that are not wanted any more, or not as they were, and let their requests finish. */
  readonly leaving: readonly string[];
  /**
   * What keeps services out of the mesh, or parts of them (ports that are taken, names that cannot be), and what is wrong
   * with this host. Codes are those of `mesh/errors.ts` and of `host-finding.ts`.
   */
  readonly problems: readonly {
    /** Empty: the host. */
    readonly workload: string;
    readonly code: string;
    readonly severity: FindingSeverity;
    readonly message: string;
    readonly hint: string;
  }[];
}

/** DNS of the host, as its agent serves it. */
export interface DnsStatus {
  /** `address:port`; `problem`: why no questions are taken there. */
  readonly listening: readonly { readonly at: string; readonly problem: string | undefined }[];
  readonly upstreams: readonly {
    readonly name: string;
    /** Why it did not answer last. */
    readonly failure: string | undefined;
    /** It asks this agent what it is asked. */
    readonly loops: boolean;
  }[];
  /** Domains that are the mesh's alone. */
  readonly zones: readonly string[];
  /** Domains in which a bare name is a service, as the host's resolver is to try them. */
  readonly search: readonly string[];
  /** Hosts of the mesh that have a name here. */
  readonly hosts: number;
}

export interface WorkloadStatus {
  /** `namespace/name`. */
  readonly workload: string;
  readonly spiffeId: string;
  /** The WorkloadGroup that it names, and why it is not as that says; empty: it is. */
  readonly group: { readonly name: string; readonly problem: string } | undefined;
  /** What its probe found, and why its last check failed; undefined: nobody asks. */
  readonly probe: { readonly ready: boolean; readonly reason: string } | undefined;
  /** `serving`, or what it waits for. */
  readonly state:
    | "serving"
    | "starting"
    | "draining"
    | "backing-off"
    | "waiting-for-group"
    | "waiting-for-svid"
    | "refused";
  /** Why it is in that state, where there is more to say. */
  readonly reason: string | undefined;
  readonly dataPlane: {
    readonly kind: string;
    readonly pid: number | undefined;
    /** Worker threads that it has, and that it will have from its next start on; undefined: it does not run. */
    readonly threads: { readonly now: number; readonly next: number } | undefined;
  };
  readonly inbound: readonly string[];
  readonly upstreams: readonly string[];
  /** Where its HTTP forward proxy listens. */
  readonly httpProxy: string | undefined;
  /** At which addresses of services its proxy listens. */
  readonly vips: "none" | "loopback" | "routed";
  readonly svidExpires: string | undefined;
  /** Where its configuration comes from. */
  readonly configuration: "server" | "cache" | "none";
  readonly lastNack: { readonly at: string; readonly type: string; readonly message: string } | undefined;
}
