import type { Clock } from "../mesh/lifecycle/clock.ts";

/** What started the server and wants to hear from it (sd_notify(3)); the CLI knows whether there is one. */
export interface ServiceManager {
  /** The server serves. */
  ready(status: string): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  stopping(): void;
  /** Tells the watchdog that the main loop is alive, until the signal is aborted. */
  runWatchdog(signal: AbortSignal): Promise<void>;
}

export interface ServerFigures {
  readonly services: number;
  readonly workloads: number;
  readonly proxies: number;
}

const EVERY_MS = 2_000;

/** Tells the service manager that the server is ready, and then how it is, until the signal is aborted. */
export async function reportTo(
  manager: ServiceManager,
  figures: () => ServerFigures,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let told = statusText(figures());
  manager.ready(told);
  const watchdog = manager.runWatchdog(signal);
  while (!signal.aborted) {
    await clock.sleep(EVERY_MS, signal);
    const text = statusText(figures());
    if (text !== told && !signal.aborted) manager.status(text);
    told = text;
  }
  manager.stopping();
  await watchdog;
}

function statusText({ services, workloads, proxies }: ServerFigures): string {
  return `${services} services, ${workloads} workloads, ${proxies} proxies connected`;
}
