import { MeshError, messageOf } from "../mesh/errors.ts";
import type { CliContext } from "./context.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { printable } from "./output/table.ts";

/** Tells what failed, why, and what to try, each on a line of its own; returns the exit code. */
export function reportError(context: CliContext, thrown: unknown): number {
  const error = MeshError.from(thrown);
  const lines = [`error: ${printable(error.message)}`];
  const why = reasonOf(error);
  if (why !== undefined) lines.push(printable(why));
  if (error.hint !== undefined) lines.push(`try: ${printable(error.hint)}`);
  context.stderr.write(`${lines.join("\n")}\n`);
  if (error.code === "internal" && context.environment["LATEEN_DEBUG"] && thrown instanceof Error) {
    context.stderr.write(`${thrown.stack}\n`);
  }
  return exitCodeOf(error.code);
}

/** The innermost cause, unless the message has already said it. */
function reasonOf(error: MeshError): string | undefined {
  let cause: unknown = error.cause;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  if (cause === undefined) return undefined;
  const reason = messageOf(cause);
  return reason === "" || error.message.includes(reason) ? undefined : reason;
}
