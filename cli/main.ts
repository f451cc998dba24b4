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

const LAST_WORD_MS = 1000;

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
await Promise.race([Promise.all([written(process.stdout), written(process.stderr)]), patience()]);
// Daemons have closed what they own by now; nothing that lingers may keep the process.
process.exit(code);

/** Resolves when the stream's reader has taken what was written, or is gone. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve());
  });
}

/** What was told to end waits a moment for a reader that does not read, and no longer. */
async function patience(): Promise<void> {
  await untilAborted(signal);
  await systemClock.sleep(LAST_WORD_MS, new AbortController().signal);
}

async function untilAborted(given: AbortSignal): Promise<void> {
  if (given.aborted) return;
  await new Promise((resolve) => given.addEventListener("abort", resolve, { once: true }));
}
