import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { Namespace } from "./network-lab.ts";

const LATEEN = resolve(import.meta.dirname, "../../cli/lateen.js");

/** `lateen …` as a process of its own, here or in a namespace; what it says goes to a log. */
export function lateenIn(
  namespace: Namespace | undefined,
  args: readonly string[],
  logger: Logger,
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const options = {
    stdio: ["ignore", "ignore", "pipe"] as ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...environment },
  };
  const child =
    namespace === undefined
      ? spawn(process.execPath, [LATEEN, ...args], options)
      : namespace.spawn(process.execPath, [LATEEN, ...args], options, "mesh");
  child.stderr?.on("data", (chunk: Buffer) => {
    logger.info(`${args[0]} process`, { said: chunk.toString("utf8").trimEnd() });
  });
  return child;
}
