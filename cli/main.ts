import { addAbortSignal } from "node:stream";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import type { CliContext } from "./context.ts";
import { readText } from "./read-text.ts";
import { run } from "./run.ts";
import { interruption } from "./signals.ts";

const argv = process.argv.slice(2).filter((argument) => argument !== "--no-color");
const plain = process.argv.includes("--no-color") || (process.env["NO_COLOR"] ?? "") !== "";

// `lateen get … | head` closes our output early: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 2));

const signal = interruption(process);
const context: CliContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  readStdin: () => readText(addAbortSignal(signal, process.stdin), "standard input"),
  environment: process.env,
  clock: systemClock,
  signal,
  color: process.stdout.isTTY && !plain,
  interactive: process.stderr.isTTY && !plain,
};

const code = await run(argv, context);
// A pipe takes 64 KiB at a time: leaving before its reader has the rest would cut a long answer short.
await Promise.all([written(process.stdout), written(process.stderr)]);
// Daemons have closed what they own by now; nothing that lingers may keep the process.
process.exit(code);

/** Resolves when the stream's reader has taken what was written, or is gone. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve());
  });
}
