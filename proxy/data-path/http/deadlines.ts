import { Alarm, type Alarms } from "../../transport/alarms.ts";

/** `duration`: what the caller itself gives the whole exchange. */
export type Limit = "route" | "idle" | "duration";

/** Node's; longer than anybody waits for an answer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The times that one exchange may take. */
export class Deadlines {
  readonly #alarms: Alarms;
  readonly #idle: Alarm;
  readonly #route: Alarm;
  /** A timer by itself: callers choose its length, and alarms of one length have a queue that stays. */
  readonly #duration: NodeJS.Timeout | undefined;
  readonly #routeMs: number;
  #expired: Limit | undefined;

  /** Milliseconds; 0 is without limit. */
  constructor(
    alarms: Alarms,
    { idleMs, routeMs, durationMs }: Readonly<Record<"idleMs" | "routeMs" | "durationMs", number>>,
    expire: () => void,
  ) {
    const ring = (limit: Limit) => (): void => {
      this.#expired = limit;
      expire();
    };
    this.#alarms = alarms;
    this.#idle = new Alarm(ring("idle"));
    this.#route = new Alarm(ring("route"));
    this.#routeMs = routeMs;
    this.#idle.set(alarms, idleMs);
    if (durationMs > 0 && durationMs < LONGEST_TIMER_MS)
      this.#duration = setTimeout(ring("duration"), durationMs);
  }

  /** Which time is over; undefined: none. */
  get expired(): Limit | undefined {
    return this.#expired;
  }

  /** The route's timeout runs from the end of the request on (Envoy). */
  requestOver(): void {
    this.#route.set(this.#alarms, this.#routeMs);
  }

  /** Something has moved. */
  touch(): void {
    this.#idle.postpone();
  }

  stop(): void {
    this.#idle.clear();
    this.#route.clear();
    clearTimeout(this.#duration);
  }
}
