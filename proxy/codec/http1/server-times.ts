import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { BodyLength } from "../stream.ts";

/** Milliseconds; 0 is without limit. */
export interface ServerTimeLimits {
  /** From the connection's start, or the first byte after an answer, to the end of the head. */
  readonly headMs: number;
  /** From the head to the end of the body. */
  readonly requestMs: number;
  /** Between requests. */
  readonly idleMs: number;
}

interface ServerTimeEvents {
  /** A request is not complete in its time. */
  late(): void;
  /** No request in its time. */
  idle(): void;
  /** The other end does not close a connection that was closed here. */
  stuck(): void;
  /** The request is not read on because nobody takes it: that is not its sender's fault. */
  isHeldBack(): boolean;
}

/** A body whose length is known comes at least so fast on average, in each of these spans: who drips holds a place. */
const SLOWEST_SPAN_MS = 10_000;
const SLOWEST_SPAN_BYTES = 2400;
const LINGER_MS = 2000;

/** The clock of one connection's requests. */
export class ServerTimes {
  readonly #limits: ServerTimeLimits;
  readonly #alarms: Alarms;
  readonly #main: Alarm;
  readonly #pace: Alarm;
  readonly #events: ServerTimeEvents;
  #waitsForHead = false;
  #idle = false;
  #lingers = false;
  #received = 0;

  constructor(limits: ServerTimeLimits, alarms: Alarms, events: ServerTimeEvents) {
    this.#limits = limits;
    this.#alarms = alarms;
    this.#events = events;
    this.#main = new Alarm(() => this.#ring());
    this.#pace = new Alarm(() => this.#checkPace());
  }

  /** A head is awaited, or has begun; counted from the first call. */
  waitForHead(): void {
    if (this.#waitsForHead) return;
    this.#waitsForHead = true;
    this.#idle = false;
    this.#main.set(this.#alarms, this.#limits.headMs);
  }

  waitForRequest(): void {
    this.#pace.clear();
    this.#idle = true;
    this.#main.set(this.#alarms, this.#limits.idleMs);
  }

  /** A head has come. */
  begin(body: BodyLength): void {
    this.#waitsForHead = false;
    this.#idle = false;
    if (body.kind === "none" || this.#limits.requestMs === 0) this.#main.clear();
    else this.#main.set(this.#alarms, this.#limits.requestMs);
    if (body.kind !== "sized") return;
    this.#received = 0;
    this.#pace.set(this.#alarms, SLOWEST_SPAN_MS);
  }

  received(bytes: number): void {
    this.#received += bytes;
  }

  requestOver(): void {
    this.#pace.clear();
    this.#main.clear();
  }

  linger(): void {
    this.#pace.clear();
    this.#lingers = true;
    this.#main.set(this.#alarms, LINGER_MS);
  }

  stop(): void {
    this.#pace.clear();
    this.#main.clear();
  }

  #ring(): void {
    if (this.#lingers) this.#events.stuck();
    else if (this.#idle) this.#events.idle();
    else this.#events.late();
  }

  #checkPace(): void {
    if (this.#received < SLOWEST_SPAN_BYTES && !this.#events.isHeldBack()) this.#events.late();
    else {
      this.#received = 0;
      this.#pace.set(this.#alarms, SLOWEST_SPAN_MS);
    }
  }
}
