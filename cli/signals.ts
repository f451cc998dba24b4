import { constants } from "node:os";

/** The part of `process` that is needed. */
interface SignalSource {
  on(name: NodeJS.Signals, listener: () => void): unknown;
  exit(code: number): void;
}

/**
 * Aborted by the first SIGTERM, SIGINT or SIGHUP (the terminal was closed), so that what runs can drain; the second one ends the program at once, with
 * 128 plus the signal's number. SIGUSR1 does nothing: left alone, Node would open its inspector on it.
 */
export function interruption(source: SignalSource): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    source.on(name, () => {
      if (stop.signal.aborted) source.exit(128 + constants.signals[name]);
      else stop.abort();
    });
  }
  source.on("SIGUSR1", () => {});
  return stop.signal;
}
