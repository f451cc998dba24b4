import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import type { CliContext } from "../context.ts";
import { printable, type TonedCell, toned } from "./table.ts";

type Finding = AgentStatus["problems"][number];

const TONES: Readonly<Record<Finding["severity"], TonedCell["tone"]>> = {
  error: "bad",
  warning: "warning",
  info: "good",
};
const RANK: readonly Finding["severity"][] = ["error", "warning", "info"];

/** Each finding with what to do about it, the worst first, and how many there are. */
export function tellFindings({ stdout, color }: CliContext, findings: readonly Finding[]): void {
  const sorted = findings.toSorted((a, b) => RANK.indexOf(a.severity) - RANK.indexOf(b.severity));
  for (const { severity, code, workload, message, hint } of sorted) {
    const level = toned({ text: severity, tone: TONES[severity] }, color);
    const about = workload === "" ? "this host" : workload;
    stdout.write(`${level}  ${code}  ${about}\n  ${printable(message)}\n`);
    if (hint !== "") stdout.write(`  try: ${printable(hint)}\n`);
  }
  stdout.write(`${countText(findings)}\n`);
}

function countText(findings: readonly Finding[]): string {
  if (findings.length === 0) return "nothing is wrong with this host";
  const counts = RANK.map(
    (severity) => [severity, findings.filter((one) => one.severity === severity).length] as const,
  );
  return counts
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => `${count} ${severity}${count === 1 || severity === "info" ? "" : "s"}`)
    .join(", ");
}
