import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { ProxyProcess } from "./proxy-process.ts";

/** What a process has between being asked to end and being killed. */
const KILL_AFTER_MS = 2000;

/** Ends a process: SIGTERM, and SIGKILL when that is not heard. Returns when it is gone. */
export async function stopProcess(process: ProxyProcess, clock: Clock): Promise<void> {
  const gone = new AbortController();
  const exit = process.exited.finally(() => gone.abort());
  process.kill("SIGTERM");
  await clock.sleep(KILL_AFTER_MS, gone.signal);
  if (!gone.signal.aborted) process.kill("SIGKILL");
  await exit;
}
