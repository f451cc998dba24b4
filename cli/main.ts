import { addAbortSignal } from "node:stream";
import { text } from "node:stream/consumers";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import type { CliContext } from "./context.ts";
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
  readStdin: () => text(addAbortSignal(signal, process.stdin)),
  environment: process.env,
  clock: systemClock,
  signal,
  color: process.stdout.isTTY && !plain,
  interactive: process.stderr.isTTY && !plain,
};

// Daemons have closed what they own by now; nothing that lingers may keep the process.
process.exit(await run(argv, context));
