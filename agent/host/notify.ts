import { createRequire } from "node:module";
import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { type SendDatagram, sendDatagram } from "./unix-datagram.ts";

/** What the service manager is told (sd_notify(3)). Nothing of it throws, and all of it is nothing without systemd. */
export interface ServiceNotifier {
  /** The program serves. */
  ready(status: string): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  stopping(): void;
  /** Tells the watchdog that the main loop is alive, until the signal is aborted; returns at once when none is set. */
  runWatchdog(signal: AbortSignal): Promise<void>;
}

export interface NotifierOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pid: number;
  readonly send?: SendDatagram;
}

type SystemdNotify = (options: {
  readonly ready?: boolean;
  readonly status?: string;
  readonly pid: number;
}) => Promise<unknown>;

export function serviceNotifier(options: NotifierOptions): ServiceNotifier {
  const { environment, clock, logger, pid, send = sendDatagram } = options;
  const socket = environment["NOTIFY_SOCKET"];
  let datagrams = true;
  let complained = false;

  const complain = (error: unknown): void => {
    if (complained) return;
    complained = true;
    logger.warn("systemd could not be told", { error: messageOf(error) });
  };

  const tell = (lines: Readonly<Record<string, string>>): void => {
    if (socket === undefined || socket === "") return;
    if (datagrams) {
      try {
        send(
          socket,
          Object.entries(lines)
            .map(([key, value]) => `${key}=${value}`)
            .join("\n"),
        );
        return;
      } catch (error) {
        datagrams = false;
        complain(error);
      }
    }
    tellByProgram(lines, pid).catch(complain);
  };

  return {
    ready: (status) => tell({ READY: "1", STATUS: oneLine(status), MAINPID: String(pid) }),
    status: (text) => tell({ STATUS: oneLine(text) }),
    stopping: () => tell({ STOPPING: "1" }),
    async runWatchdog(signal) {
      const periodMs = watchdogPeriodMs(environment, pid);
      if (periodMs === undefined) return;
      while (!signal.aborted) {
        tell({ WATCHDOG: "1" });
        await clock.sleep(periodMs, signal);
      }
    },
  };
}

/** Half of what systemd waits (sd_watchdog_enabled(3)); undefined without a watchdog, or when it is another process's. */
export function watchdogPeriodMs(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const micros = Number(environment["WATCHDOG_USEC"]);
  const owner = environment["WATCHDOG_PID"];
  if (!Number.isFinite(micros) || micros <= 0) return undefined;
  return owner === undefined || owner === String(pid) ? Math.max(1, micros / 2000) : undefined;
}

/** The program `systemd-notify`, through the package of that name: it knows READY and STATUS alone. */
async function tellByProgram(lines: Readonly<Record<string, string>>, pid: number): Promise<void> {
  const { READY, STATUS } = lines;
  if (READY === undefined && STATUS === undefined) return;
  const notify = createRequire(import.meta.url)("systemd-notify") as SystemdNotify;
  await notify({
    pid,
    ...(READY === undefined ? {} : { ready: true }),
    ...(STATUS === undefined ? {} : { status: STATUS }),
  });
}

function oneLine(text: string): string {
  return text.replaceAll("\n", " ");
}
