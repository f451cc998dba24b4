import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { BodyLength } from "../stream.ts";

/** A body whose length is known comes at least so fast on average, in each of these spans: who drips holds a place. */
const SLOWEST_SPAN_MS = 10_000;
const SLOWEST_SPAN_BYTES = 2400;

/** The clock of one request's body. */
export class RequestTimes {
  readonly #alarms: Alarms;
  readonly #whole: Alarm;
  readonly #pace: Alarm;
  #received = 0;

  /** `late`: the body is not there in `requestMs` (0: without limit), or drips though somebody `wants` it. */
  constructor(body: BodyLength, requestMs: number, alarms: Alarms, late: () => void, wants: () => boolean) {
    this.#alarms = alarms;
    this.#whole = new Alarm(late);
    this.#whole.set(alarms, requestMs);
    this.#pace = new Alarm(() => {
      if (this.#received < SLOWEST_SPAN_BYTES && wants()) late();
      else this.#measure();
    });
    if (body.kind === "sized") this.#measure();
  }

  received(bytes: number): void {
    this.#received += bytes;
  }

  stop(): void {
    this.#whole.clear();
    this.#pace.clear();
  }

  #measure(): void {
    this.#received = 0;
    this.#pace.set(this.#alarms, SLOWEST_SPAN_MS);
  }
}
