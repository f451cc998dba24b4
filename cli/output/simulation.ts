import type {
  AuthzSimulationReply,
  ObservedCallsReply,
  SimulatedCalls,
} from "../../mesh/admin-api/observed-replies.ts";
import type { DecidingObject } from "../../mesh/admin-api/replies.ts";
import type { CliContext } from "../context.ts";
import { formatAge } from "../duration.ts";
import { objectText, resultText } from "./authorization.ts";
import { type Cell, formatTable } from "./table.ts";

/** Calls that would fare otherwise, those of which that is not known, and how many were looked at. */
export function tellSimulation(context: CliContext, reply: AuthzSimulationReply): void {
  const { changes, undecided, compared } = reply;
  if (changes.length > 0) context.stdout.write(table(context, changes));
  if (undecided.length > 0) {
    const gap = changes.length > 0 ? "\n" : "";
    context.stdout.write(`${gap}Not decided, for policies ask for what is not known of a call:\n\n`);
    context.stdout.write(table(context, undecided));
  }
  if (reply.untold > 0) context.stdout.write(`\n… and ${reply.untold} further kinds of calls\n`);
  const changed = changes.reduce((sum, { calls }) => sum + calls.count, 0);
  context.stderr.write(
    `${changed} of ${compared.calls} calls (${changes.length} of ${compared.kinds} kinds) since ${reply.since} would fare otherwise.\n`,
  );
}

/** `GET /orders`, `GET /orders/…`, `tcp`. */
export function callsText({ protocol, method, path, precision }: ObservedCallsReply): string {
  if (precision === "rest") return `${protocol} …`;
  if (protocol === "tcp") return "tcp";
  return `${method || "(another method)"} ${path}${precision === "start" ? "…" : ""}`;
}

function table(context: CliContext, list: readonly SimulatedCalls[]): string {
  const now = context.clock.now();
  const rows = list.map(({ calls, before, after }): readonly Cell[] => [
    calls.from ?? "outside",
    `${calls.to}:${calls.port}`,
    callsText(calls),
    String(calls.count),
    `${formatAge(now - Date.parse(calls.lastSeen))} ago`,
    `${resultText(before)} → ${resultText(after)}`,
    decisionText(after) || decisionText(before),
  ]);
  const headers = ["FROM", "TO", "CALL", "COUNT", "LAST SEEN", "CHANGE", "DECIDED BY"];
  return formatTable(headers, rows, { color: context.color });
}

function decisionText({
  decidedBy,
  reason,
}: {
  readonly decidedBy: DecidingObject | null;
  readonly reason: string;
}): string {
  return decidedBy === null ? reason : objectText(decidedBy);
}
