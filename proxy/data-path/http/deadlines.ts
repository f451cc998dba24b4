import { Alarm, type Alarms } from "../../transport/alarms.ts";

type Limit = "route" | "idle";

/** The times that one exchange may take. */
export class Deadlines {
  readonly #alarms: Alarms;
  readonly #idle: Alarm;
  readonly #route: Alarm;
  readonly #routeMs: number;
  #expired: Limit | undefined;

  /** Milliseconds; 0 is without limit. */
  constructor(
    alarms: Alarms,
    { idleMs, routeMs }: { readonly idleMs: number; readonly routeMs: number },
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
  }
}
