import type { BodySink, BodySource, RequestHead, ResponseHead } from "../../codec/stream.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { HostPool } from "../upstream/host-pool.ts";
import { Attempt, type AttemptEvents } from "./attempt.ts";
import { RequestBody } from "./request-body.ts";

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly trailers: HeaderList | undefined;
}

export interface Question {
  readonly pool: HostPool;
  readonly head: RequestHead;
  /** Undefined: the head says that there is none. */
  readonly body?: Buffer;
  readonly alarms: Alarms;
  /** Until the end of the answer. */
  readonly timeoutMs: number;
  readonly mostBytes: number;
  /** Aborted when nobody wants to know any more. */
  readonly gone: AbortSignal;
}

/** Asks a host something of our own. Undefined: there was no whole answer within time and size. Never rejects. */
export async function askOnce(question: Question): Promise<Answer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
  const asking = new Asking(question.mostBytes, resolve);
  const { pool, head, alarms, timeoutMs, gone } = question;
  const body = question.body && new RequestBody(whole(question.body), false, UNHEARD);
  const attempt = new Attempt({ pool, head, body, perTryTimeoutMs: 0, alarms }, asking);
  const giveUp = (): void => resolve(undefined);
  const patience = new Alarm(giveUp);
  patience.set(alarms, timeoutMs);
  gone.addEventListener("abort", giveUp, { once: true });
  if (gone.aborted) giveUp();
  else attempt.start();
  try {
    return await promise;
  } finally {
    patience.clear();
    gone.removeEventListener("abort", giveUp);
    attempt.cancel();
  }
}

const UNHEARD = { passed() {}, ended() {}, broken() {} };

/** A body that is there as a whole. */
function whole(bytes: Buffer): BodySource {
  return {
    receive: (sink) => {
      sink.data(bytes);
      sink.end(undefined);
    },
    pause() {},
    resume() {},
  };
}

/** Collects the answer. */
class Asking implements AttemptEvents, BodySink {
  readonly #mostBytes: number;
  readonly #resolve: (answer: Answer | undefined) => void;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #head: ResponseHead | undefined;

  constructor(mostBytes: number, resolve: (answer: Answer | undefined) => void) {
    this.#mostBytes = mostBytes;
    this.#resolve = resolve;
  }

  answered(head: ResponseHead): void {
    this.#head = head;
  }

  failed(): void {
    this.#resolve(undefined);
  }

  moreWanted(): void {}

  data(bytes: Buffer): boolean {
    this.#length += bytes.length;
    if (this.#length > this.#mostBytes) this.#resolve(undefined);
    else this.#chunks.push(Buffer.from(bytes));
    return this.#length <= this.#mostBytes;
  }

  end(trailers: HeaderList | undefined): void {
    const head = this.#head;
    if (head === undefined || this.#length > this.#mostBytes) return;
    const { status, headers } = head;
    this.#resolve({ status, headers, body: Buffer.concat(this.#chunks), trailers });
  }

  reset(): void {
    this.#resolve(undefined);
  }
}
