import { existsSync, readFileSync } from "node:fs";
import type { AgentStatus } from "../../../mesh/admin-api/agent-status.ts";
import type { HostFinding } from "../../../mesh/admin-api/host-finding.ts";
import { changedHint, readHookRecord } from "./hook-record.ts";

/** Whether this host's names go to its agent. */
export type HookState =
  | { readonly kind: "none" }
  | {
      readonly kind: "hooked";
      readonly by: string;
      readonly path: string;
      readonly inPlace: boolean;
      /** What is to be done where it is not in place. */
      readonly hint: string;
    };

export function hookState(configDir: string): HookState {
  const record = readHookRecord(configDir);
  if (record === undefined) return { kind: "none" };
  const { kind, path, text } = record;
  const inPlace = existsSync(path) && readFileSync(path, "utf8") === text;
  return { kind: "hooked", by: kind, path, inPlace, hint: hintFor(configDir, existsSync(path)) };
}

/** Undo takes a file that is gone for one that it may put back, and one that was changed for somebody else's. */
function hintFor(configDir: string, isThere: boolean): string {
  const first = isThere ? changedHint(configDir) : "lateen host dns --undo";
  return `${first}; then lateen host dns again, by what writes the file`;
}

/** What is wrong between a host that sends its questions to its agent, and that agent. */
export function hookFindings(state: HookState, agent: AgentStatus | undefined): readonly HostFinding[] {
  if (state.kind === "none") return [];
  const { by, path, inPlace, hint } = state;
  if (!inPlace)
    return [
      finding("warning", {
        message: `${path} is not as lateen host dns has written it: somebody has changed it, and names of the mesh may not be found`,
        hint,
      }),
    ];
  if (agent !== undefined && agent.dns.listening.some(({ problem }) => problem === undefined)) return [];
  const meanwhile =
    by === "resolv-conf"
      ? "the other resolvers of resolv.conf are asked in its place, after a moment"
      : "names of the mesh cannot be looked up";
  return [
    finding("error", {
      message: `this host sends its questions to the agent (${path}), and that takes none: ${meanwhile}`,
      hint: "start the agent (systemctl start lateen-agent); lateen host dns --undo if it is not to come back",
    }),
  ];
}

function finding(
  severity: HostFinding["severity"],
  text: Pick<HostFinding, "message" | "hint">,
): HostFinding {
  return { code: "host.dns-hook", severity, workload: "", ...text };
}
