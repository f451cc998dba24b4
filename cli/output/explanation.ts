import type { ExplainReply, ExplainStep } from "../../mesh/admin-api/replies.ts";
import type { CliContext } from "../context.ts";
import { type Cell, formatTable, printable } from "./table.ts";

const COLUMNS = ["STEP", "WHAT", "SHARE", "WHY", "DECIDED BY"];

/** The way of a call as a table, and below it how it ends. */
export function tellExplanation(
  context: CliContext,
  { from, to, steps, outcome, notes }: ExplainReply,
): void {
  context.stdout.write(`${printable(`${from} calls ${to}`)}\n\n`);
  if (steps.length > 0) {
    context.stdout.write(`${formatTable(COLUMNS, steps.map(cellsOf), { color: context.color })}\n`);
  }
  context.stdout.write(`${outcome.arrives ? "ok" : "error"}: ${printable(outcome.text)}\n`);
  for (const note of notes) context.stdout.write(`note: ${printable(note)}\n`);
}

function cellsOf({ step, name, share, why, object }: ExplainStep): readonly Cell[] {
  const parts = object === null ? [] : [`${object.kind} ${object.namespace}/${object.name}`, object.rule];
  return [STEP_WORDS[step], name, shareText(share), why, parts.filter((part) => part !== "").join(" ")];
}

const STEP_WORDS: Readonly<Record<ExplainStep["step"], string>> = {
  connect: "connect to",
  listener: "listener",
  "filter-chain": "filter chain",
  policy: "policy",
  "virtual-host": "virtual host",
  route: "route",
  edit: "  with",
  cluster: "cluster",
  endpoint: "  endpoint",
  answer: "answer",
};

function shareText(share: number | null): Cell {
  if (share === null) return "";
  const text = `${Number((share * 100).toPrecision(3))} %`;
  return share === 0 ? { text, tone: "warning" } : text;
}
