import { MeshError, messageOf } from "../../mesh/errors.ts";
import { isRenewalOverdue, renewAtMs } from "../../mesh/identity/rotation.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { Wake } from "../state/changes.ts";
import type { Retirement } from "./retirement.ts";
import { waitUntil } from "./wait-until.ts";

export interface RenewalOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** Left out: every certificate lives to its own time. */
  readonly retirement?: Retirement;
}

export interface Renewal {
  /** Whose it is, for the log. */
  readonly name: string;
  current(): X509Svid | undefined;
  /** Gets a new one with a new key and puts it in the place of the current one. */
  issue(signal: AbortSignal): Promise<void>;
  /** Why the last attempt failed; undefined after a success. */
  failed(reason: MeshError | undefined): void;
  /** Raised when a failed attempt may succeed now. */
  readonly retry: Wake;
}

const RETRY = { firstMs: 500, maxMs: 60_000 } as const;

/**
 * Gets a first SVID when there is none, and a new one at 50 to 70 % of each one's life, or sooner when its authority
 * retires, until the signal is aborted. An outage is retried with back-off, for ever: the one at hand is used meanwhile.
 */
export async function keepFresh(
  renewal: Renewal,
  options: RenewalOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock, logger, random } = options;
  let attempt = 0;
  let earliest = 0;
  while (!signal.aborted) {
    const svid = renewal.current();
    if (svid !== undefined && attempt === 0) {
      const due = Math.max(earliest, renewalTime(svid, clock.now(), random()));
      await untilDue(svid, due, options, signal);
      if (signal.aborted) return;
    }
    try {
      await renewal.issue(signal);
      attempt = 0;
      earliest = clock.now() + shortestUseMs(renewal.current(), clock.now());
      renewal.failed(undefined);
    } catch (error) {
      if (signal.aborted) return;
      const delayMs = backoffMs(RETRY, attempt, random());
      attempt += 1;
      const reason = MeshError.from(error);
      renewal.failed(reason);
      const { code, hint } = reason;
      const fields = { identity: renewal.name, error: messageOf(error), code, hint, delayMs };
      logger.warn("could not get a certificate, trying again", fields);
      await renewal.retry.waitFor(clock, delayMs, signal);
    }
  }
}

/** Returns at the given time, or within the time that is left once the certificate's authority retires. */
async function untilDue(
  svid: X509Svid,
  dueMs: number,
  { clock, random, retirement }: RenewalOptions,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const changed = new Wake();
  const stop = retirement?.changes.subscribe(() => changed.raise());
  const retired = async (): Promise<void> => {
    for (;;) {
      const within = retirement?.renewWithinMs(svid);
      if (within !== undefined) return waitUntil(clock, clock.now() + within * random(), either);
      await changed.wait(either);
      if (either.aborted) return;
    }
  };
  await Promise.race([waitUntil(clock, dueMs, either), retired()]);
  over.abort();
  stop?.();
}

function renewalTime(svid: X509Svid, now: number, random: number): number {
  const { notBeforeMs, notAfterMs } = svid;
  return isRenewalOverdue(notBeforeMs, notAfterMs, now) ? now : renewAtMs(notBeforeMs, notAfterMs, random);
}

/** A certificate that was due as it came (short life, dated back for slow clocks) must not be renewed in a tight loop. */
function shortestUseMs(svid: X509Svid | undefined, now: number): number {
  return Math.max(1000, ((svid?.notAfterMs ?? now) - now) / 4);
}
