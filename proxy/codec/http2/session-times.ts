import { Alarm, type Alarms } from "../../transport/alarms.ts";

/** Milliseconds; 0 is without limit. */
export interface SessionTimeLimits {
  /** From the connection's start to the peer's SETTINGS, and from the first frame of a field block to its last. */
  readonly headMs: number;
  /** Without any stream. */
  readonly idleMs: number;
}

interface SessionTimeEvents {
  late(): void;
  idle(): void;
  /** The peer does not close a connection that was closed here, or does not answer its end. */
  stuck(): void;
}

const LINGER_MS = 2000;

/** The clock of one connection. */
export class SessionTimes {
  readonly #limits: SessionTimeLimits;
  readonly #alarms: Alarms;
  readonly #head: Alarm;
  readonly #idle: Alarm;
  readonly #linger: Alarm;

  constructor(limits: SessionTimeLimits, alarms: Alarms, events: SessionTimeEvents) {
    this.#limits = limits;
    this.#alarms = alarms;
    this.#head = new Alarm(() => events.late());
    this.#idle = new Alarm(() => events.idle());
    this.#linger = new Alarm(() => events.stuck());
    this.waitForHead();
    this.quiet();
  }

  waitForHead(): void {
    this.#head.set(this.#alarms, this.#limits.headMs);
  }

  headCame(): void {
    this.#head.clear();
  }

  /** There is no stream. */
  quiet(): void {
    this.#idle.set(this.#alarms, this.#limits.idleMs);
  }

  busy(): void {
    this.#idle.clear();
  }

  linger(): void {
    this.#linger.set(this.#alarms, LINGER_MS);
  }

  /** Frames are over; the connection's end is still awaited. */
  stop(): void {
    this.#head.clear();
    this.#idle.clear();
  }

  closed(): void {
    this.stop();
    this.#linger.clear();
  }
}
