import type { AuthzReply, DecidingObject } from "../../mesh/admin-api/replies.ts";
import type { CliContext } from "../context.ts";
import { formatAge } from "../duration.ts";
import { type Cell, formatTable, printable } from "./table.ts";

/** The order in which policies are asked, each with what it says, and below it how it ends. */
export function tellAuthorization(context: CliContext, reply: AuthzReply): void {
  const { from, principal, to, port, steps } = reply;
  const who = principal === null || principal === from ? from : `${from} (${principal})`;
  context.stdout.write(`${printable(`${who} calls ${to} at port ${port}`)}\n\n`);
  if (steps.length > 0) {
    const rows = steps.map(({ name, why, object }): readonly Cell[] => [name, why, objectText(object)]);
    context.stdout.write(`${formatTable(["ASKED", "SAYS", "POLICY"], rows, { color: context.color })}\n`);
  }
  context.stdout.write(`${resultText(reply)}: ${printable(reasonText(reply))}\n`);
}

/** One line for each caller; with when it was last seen to call, where that is known (milliseconds since the epoch). */
export function tellCallers(
  context: CliContext,
  replies: readonly AuthzReply[],
  lastSeen: ReadonlyMap<string | null, number> | undefined,
): void {
  const now = context.clock.now();
  const rows = replies.map((reply): readonly Cell[] => {
    const at = lastSeen?.get(reply.principal);
    const seen = lastSeen === undefined ? [] : [at === undefined ? "" : `${formatAge(now - at)} ago`];
    const decidedBy = objectText(reply.decidedBy) || reply.reason;
    return [reply.principal ?? reply.from, resultText(reply), ...seen, decidedBy];
  });
  const headers = ["CALLER", "RESULT", ...(lastSeen === undefined ? [] : ["LAST SEEN"]), "DECIDED BY"];
  context.stdout.write(formatTable(headers, rows, { color: context.color }));
}

export function resultText({ allowed }: Pick<AuthzReply, "allowed">): string {
  if (allowed === null) return "undecided";
  return allowed ? "allowed" : "denied";
}

function reasonText({ reason, status, decidedBy }: AuthzReply): string {
  const told = status === null ? "" : `; the caller is answered ${status}`;
  return decidedBy === null ? `${reason}${told}` : `${reason}, by ${objectText(decidedBy)}${told}`;
}

export function objectText(object: DecidingObject | null): string {
  if (object === null) return "";
  return [`${object.kind} ${object.namespace}/${object.name}`, object.rule]
    .filter((part) => part !== "")
    .join(" ");
}
