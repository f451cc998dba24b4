import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { isReadyStatus, statusLine } from "./agent-status.ts";
import type { ServiceNotifier } from "./notify.ts";

const EVERY_MS = 2000;

/**
 * Tells the service manager how the agent is, until the signal is aborted. READY comes when every workload is served,
 * or after `patienceMs`: an agent that waits for its catalog or its server has started too.
 */
export async function reportStatus(
  notifier: ServiceNotifier,
  status: () => AgentStatus,
  clock: Clock,
  signal: AbortSignal,
  patienceMs = 10_000,
): Promise<void> {
  const begin = clock.monotonic();
  let ready = false;
  let told = "";
  while (!signal.aborted) {
    const now = status();
    const line = statusLine(now, clock.now());
    if (!ready && (isReadyStatus(now) || clock.monotonic() - begin >= patienceMs)) {
      ready = true;
      notifier.ready(line);
    } else if (line !== told) {
      notifier.status(line);
    }
    told = line;
    await clock.sleep(ready ? EVERY_MS : EVERY_MS / 20, signal);
  }
}
