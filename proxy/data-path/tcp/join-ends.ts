import type { BodySink, ResetCause } from "../../codec/stream.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { ByteEnd } from "./byte-end.ts";

export interface JoinOptions {
  readonly alarms: Alarms;
  /** No byte in either direction for this long ends both; 0 is without limit. */
  readonly idleMs: number;
  /** Both are ended after so long whatever they do; 0 is without limit. */
  readonly longestMs: number;
  /** Octets that `left` has sent. */
  readonly fromLeft: (count: number) => void;
  readonly fromRight: (count: number) => void;
}

/**
 * Lets two ends talk to each other: back-pressure and half-close pass through, and one that breaks breaks the other.
 * Resolves when both are closed. Never rejects.
 */
export async function joinEnds(left: ByteEnd, right: ByteEnd, options: JoinOptions): Promise<void> {
  const { alarms, idleMs, longestMs, fromLeft, fromRight } = options;
  const over = Promise.withResolvers<void>();
  const cut = (reason: string) => (): void => {
    left.reset({ kind: "limit", reason });
    right.reset({ kind: "limit", reason });
  };
  const idle = new Alarm(cut("nothing was said for too long"));
  const longest = new Alarm(cut("it took too long"));
  idle.set(alarms, idleMs);
  longest.set(alarms, longestMs);
  let open = 2;
  const watch = (end: ByteEnd, other: ByteEnd): void =>
    end.observe({
      writable: () => other.resume(),
      closed: (complete) => {
        if (!complete) other.reset(BROKEN);
        if (--open === 0) over.resolve();
      },
    });
  watch(left, right);
  watch(right, left);
  left.receive(new Direction(right, idle, fromLeft));
  right.receive(new Direction(left, idle, fromRight));
  await over.promise;
  idle.clear();
  longest.clear();
}

/** What one end says, on its way to the other. */
class Direction implements BodySink {
  readonly #to: ByteEnd;
  readonly #idle: Alarm;
  readonly #count: (octets: number) => void;

  constructor(to: ByteEnd, idle: Alarm, count: (octets: number) => void) {
    this.#to = to;
    this.#idle = idle;
    this.#count = count;
  }

  data(bytes: Buffer): boolean {
    this.#idle.postpone();
    this.#count(bytes.length);
    return this.#to.data(bytes);
  }

  end(trailers: HeaderList | undefined): void {
    this.#to.end(trailers);
  }

  reset(cause: ResetCause): void {
    this.#to.reset(cause);
  }
}

const BROKEN: ResetCause = { kind: "disconnected", reason: "the other side is gone" };
