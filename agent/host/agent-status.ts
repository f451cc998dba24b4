/** What `GET /status` answers. Times are ISO 8601. */
export interface AgentStatus {
  readonly agent: {
    readonly id: string;
    readonly trustDomain: string;
    readonly version: string;
    readonly certificateExpires: string;
  };
  readonly server: { readonly address: string; readonly connected: boolean; readonly registration: string };
  readonly discovery: { readonly source: string; readonly state: "waiting" | "known" };
  readonly workloads: readonly WorkloadStatus[];
  /** What keeps services out of the mesh, or parts of them: ports that are taken, names that cannot be. */
  readonly problems: readonly {
    readonly workload: string;
    readonly code: string;
    readonly message: string;
    readonly hint: string;
  }[];
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
  readonly dataPlane: { readonly kind: string; readonly pid: number | undefined };
  readonly inbound: readonly string[];
  readonly upstreams: readonly string[];
  readonly svidExpires: string | undefined;
  /** Where its configuration comes from. */
  readonly configuration: "server" | "cache" | "none";
  readonly lastNack: { readonly at: string; readonly type: string; readonly message: string } | undefined;
}

/** Ready: every workload is served, or there is none. */
export function isReadyStatus(status: AgentStatus): boolean {
  return status.discovery.state === "known" && status.workloads.every(({ state }) => state === "serving");
}

/** The line for `systemctl status`. */
export function statusLine(status: AgentStatus, now: number): string {
  const serving = status.workloads.filter(({ state }) => state === "serving").length;
  const server = status.server.connected ? `server ${status.server.address}` : "no server";
  const expiries = status.workloads.flatMap(({ svidExpires }) =>
    svidExpires === undefined ? [] : [Date.parse(svidExpires)],
  );
  const soonest =
    expiries.length === 0 ? "" : `, first SVID ends in ${readable(Math.min(...expiries) - now)}`;
  const problems = status.problems.length === 0 ? "" : `, ${status.problems.length} problems`;
  return `${status.workloads.length} workloads, ${serving} serving, ${server}${soonest}${problems}`;
}

function readable(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
