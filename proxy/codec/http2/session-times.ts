import { Alarm, type Alarms } from "../../transport/alarms.ts";

/** Milliseconds; 0 is without limit. */
export interface SessionTimeLimits {
  /** From the connection's start to the peer's SETTINGS, and from the first frame of a field block to its last. */
  readonly headMs: number;
  /** Without any stream. */
  readonly idleMs: number;
  /** A PING so often, and how long its answer may take; undefined: none is sent. */
  readonly keepAlive: { readonly intervalMs: number; readonly timeoutMs: number } | undefined;
}

interface SessionTimeEvents {
  late(): void;
  idle(): void;
  /** The peer does not close a connection that was closed here, or does not answer its end. */
  stuck(): void;
  /** It is time for a PING. */
  ping(): void;
  /** The PING has not been answered. */
  unanswered(): void;
}

const LINGER_MS = 2000;

/** The clock of one connection. */
export class SessionTimes {
  readonly #limits: SessionTimeLimits;
  readonly #alarms: Alarms;
  readonly #head: Alarm;
  readonly #idle: Alarm;
  readonly #linger: Alarm;
  readonly #ping: Alarm;
  readonly #pong: Alarm;

  constructor(limits: SessionTimeLimits, alarms: Alarms, events: SessionTimeEvents) {
    this.#limits = limits;
    this.#alarms = alarms;
    this.#head = new Alarm(() => events.late());
    this.#idle = new Alarm(() => events.idle());
    this.#linger = new Alarm(() => events.stuck());
    this.#pong = new Alarm(() => events.unanswered());
    this.#ping = new Alarm(() => {
      this.#pong.set(alarms, limits.keepAlive?.timeoutMs ?? 0);
      events.ping();
    });
    this.waitForHead();
    this.quiet();
    this.#ping.set(alarms, limits.keepAlive?.intervalMs ?? 0);
  }

  /** The PING has been answered, and the next is due after the interval; false when there was none. */
  ponged(): boolean {
    if (this.#pong.queue === undefined) return false;
    this.#pong.clear();
    this.#ping.set(this.#alarms, this.#limits.keepAlive?.intervalMs ?? 0);
    return true;
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
    this.#ping.clear();
    this.#pong.clear();
  }

  closed(): void {
    this.stop();
    this.#linger.clear();
  }
}
