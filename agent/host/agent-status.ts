import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";

/** Ready: every workload is served, or there is none. */
export function isReadyStatus(status: AgentStatus): boolean {
  return status.discovery.state === "known" && status.workloads.every(({ state }) => state === "serving");
}

/** The line for `systemctl status`. */
export function statusLine(status: AgentStatus, now: number): string {
  const serving = status.workloads.filter(({ state }) => state === "serving").length;
  const server = serverWord(status.server);
  const expiries = status.workloads.flatMap(({ svidExpires }) =>
    svidExpires === undefined ? [] : [Date.parse(svidExpires)],
  );
  const soonest =
    expiries.length === 0 ? "" : `, first SVID ends in ${readable(Math.min(...expiries) - now)}`;
  const problems = status.problems.length === 0 ? "" : `, ${status.problems.length} problems`;
  return `${status.workloads.length} workloads, ${serving} serving, ${server}${soonest}${problems}`;
}

function serverWord({ problem, connected, address }: AgentStatus["server"]): string {
  if (problem !== undefined) return "NOT OF THE MESH any more (lateen status)";
  return connected ? `server ${address}` : "no server";
}

function readable(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
