import { Allowance } from "./allowance.ts";
import { ConnectionError, ErrorCode } from "./error-code.ts";

/** A `SETTINGS` or `PING` has to be answered; each DATA frame earns one: peers measure delay with them as data flows. */
const ANSWERED = { burst: 200, perSecond: 20 };
/** Frames that carry nothing: PRIORITY, unknown types, DATA and header fragments without content. */
const EMPTY = { burst: 200, perSecond: 20 };
/** WINDOW_UPDATE: ten for a DATA frame that was sent, as Envoy has it, and some for each stream. */
const WINDOW_UPDATES = { burst: 1000, perSecond: 50, forData: 10, forStream: 4 };
/** Streams given up before their answer began, by the peer or by us for what the peer did (CVE-2023-44487, CVE-2025-8671). */
const RESETS = { burst: 200, perSecond: 33 };

/** Frames for streams that were reset here: they may have been on their way. */
const LATE = { burst: 1000, perSecond: 100, forReset: 16 };

/**
 * Counts what costs a peer little and us something, and ends the connection when it is out of proportion to the work
 * that is done on it. Counters start full, refill slowly with time, and with each piece of useful work.
 */
export class Floods {
  readonly #answered: Allowance;
  readonly #empty: Allowance;
  readonly #windowUpdates: Allowance;
  readonly #resets: Allowance;
  readonly #late: Allowance;

  constructor(now: () => number) {
    this.#answered = new Allowance(ANSWERED.burst, ANSWERED.perSecond, now);
    this.#empty = new Allowance(EMPTY.burst, EMPTY.perSecond, now);
    this.#windowUpdates = new Allowance(WINDOW_UPDATES.burst, WINDOW_UPDATES.perSecond, now);
    this.#resets = new Allowance(RESETS.burst, RESETS.perSecond, now);
    this.#late = new Allowance(LATE.burst, LATE.perSecond, now);
  }

  /** The peer wants an answer to a frame of control. */
  answered(kind: string): void {
    if (!this.#answered.take()) throw flood(kind);
  }

  empty(kind: string): void {
    if (!this.#empty.take()) throw flood(kind);
  }

  windowUpdate(): void {
    if (!this.#windowUpdates.take()) throw flood("WINDOW_UPDATE");
  }

  reset(): void {
    if (!this.#resets.take()) throw flood("stream reset");
  }

  late(): void {
    if (!this.#late.take()) throw flood("late");
  }

  resetSent(): void {
    this.#late.earn(LATE.forReset);
  }

  dataSent(): void {
    this.#windowUpdates.earn(WINDOW_UPDATES.forData);
    this.#answered.earn(1);
  }

  dataReceived(): void {
    this.#empty.earn(1);
    this.#answered.earn(1);
  }

  streamOpened(): void {
    this.#windowUpdates.earn(WINDOW_UPDATES.forStream);
    this.#empty.earn(1);
  }

  /** A stream came to its regular end. */
  streamDone(): void {
    this.#resets.earn(1);
  }
}

function flood(kind: string): ConnectionError {
  return new ConnectionError(ErrorCode.enhanceYourCalm, `too many ${kind} frames`);
}
