import { spawn } from "node:child_process";
import { type Outcome, outcomeOf } from "./outcome.ts";

/** Of what a command says about its failure, this much is told. */
const MOST_OUTPUT = 200;

/**
 * Runs a program, without a shell: exit code 0 is ready. What it writes is thrown away but for the beginning of its error
 * output. When the signal is aborted, or it has ended, everything that it started is ended too.
 */
export function execCheck(
  [program = "", ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Outcome> {
  return outcomeOf((settle) => {
    // A group of its own, so that it can be ended as a whole.
    const child = spawn(program, args, {
      cwd: "/",
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    const end = (): void => {
      // Not when it has gone: a program that waits for a disk may go much later.
      settle("it was ended");
      child.stderr.destroy();
      endGroup(child.pid);
    };
    let said = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      said = (said + text).slice(0, MOST_OUTPUT);
    });
    child.once("error", ({ message }) => settle(message));
    child.once("exit", (code, killer) => {
      signal.removeEventListener("abort", end);
      // What it wrote last may still be on its way.
      setImmediate(() => {
        settle(code === 0 ? "" : `it ended with ${code ?? killer}${said === "" ? "" : `: ${plain(said)}`}`);
        end();
      });
    });
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of it is left.
  }
}

/** For a log's line. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ").trim();
}
