/** Something that is to happen after a time, unless it is put off or taken back. */
export class Alarm {
  readonly ring: () => void;
  /** Of the queue that it is in; undefined: it is not set. */
  queue: AlarmQueue | undefined;
  /** When it rings. */
  dueMs = 0;
  /** When it was put where it is in the queue, which is sorted by this. */
  queuedMs = 0;
  before: Alarm | undefined;
  after: Alarm | undefined;

  constructor(ring: () => void) {
    this.ring = ring;
  }

  /** Rings after so long, instead of any time that was set before; 0 is never. */
  set(queues: Alarms, delayMs: number): void {
    if (this.queue?.delayMs === delayMs) this.queue.postpone(this);
    else {
      this.clear();
      if (delayMs > 0) queues.of(delayMs).add(this);
    }
  }

  /** As if it were set now; nothing when it is not set. */
  postpone(): void {
    this.queue?.postpone(this);
  }

  clear(): void {
    this.queue?.remove(this);
  }
}

/** The alarms of one delay, in the order in which they are due: one timer for all of them, set for the first. */
class AlarmQueue {
  readonly delayMs: number;
  readonly #now: () => number;
  #first: Alarm | undefined;
  #last: Alarm | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(delayMs: number, now: () => number) {
    this.delayMs = delayMs;
    this.#now = now;
  }

  add(alarm: Alarm): void {
    const now = this.#now();
    alarm.dueMs = now + this.delayMs;
    this.#link(alarm, now);
    if (this.#timer === undefined) this.#arm(this.delayMs);
  }

  /** Its place is mended when its time would have come: that costs nothing while things move. */
  postpone(alarm: Alarm): void {
    alarm.dueMs = this.#now() + this.delayMs;
  }

  remove(alarm: Alarm): void {
    if (alarm.before) alarm.before.after = alarm.after;
    else this.#first = alarm.after;
    if (alarm.after) alarm.after.before = alarm.before;
    else this.#last = alarm.before;
    alarm.before = undefined;
    alarm.after = undefined;
    alarm.queue = undefined;
  }

  /** Behind those that were queued before `queuedMs`. */
  #link(alarm: Alarm, queuedMs: number): void {
    let before = this.#last;
    while (before !== undefined && before.queuedMs > queuedMs) before = before.before;
    const after = before === undefined ? this.#first : before.after;
    alarm.queue = this;
    alarm.queuedMs = queuedMs;
    alarm.before = before;
    alarm.after = after;
    if (before) before.after = alarm;
    else this.#first = alarm;
    if (after) after.before = alarm;
    else this.#last = alarm;
  }

  /** One timer: an alarm that is set from the ring of another has armed it already. */
  #arm(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sweep(), Math.min(delayMs, LONGEST_TIMER_MS)).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#now();
    for (let alarm = this.#first; alarm !== undefined; alarm = this.#first) {
      const leftMs = alarm.queuedMs + this.delayMs - now;
      if (leftMs > 0) {
        this.#arm(Math.ceil(leftMs));
        return;
      }
      this.remove(alarm);
      if (alarm.dueMs <= now) alarm.ring();
      else this.#link(alarm, alarm.dueMs - this.delayMs);
    }
  }
}

/** Node's limit for one timer; longer ones are looked at in between. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Time limits by the ten thousands: setting, putting off and taking back one of them touches no timer of Node's. As
 * exact as those are. Delays are few, because they come from the configuration.
 */
export class Alarms {
  readonly #now: () => number;
  readonly #queues = new Map<number, AlarmQueue>();

  /** `now`: milliseconds that only grow. */
  constructor(now: () => number) {
    this.#now = now;
  }

  of(delayMs: number): AlarmQueue {
    let queue = this.#queues.get(delayMs);
    if (queue === undefined) {
      queue = new AlarmQueue(delayMs, this.#now);
      this.#queues.set(delayMs, queue);
    }
    return queue;
  }
}
