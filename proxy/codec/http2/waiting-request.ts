import type { ClientStream, RequestHead, ResetCause, ResponseReceiver } from "../stream.ts";

/** A request that cannot be sent before the server has said what it takes. Its body is not wanted until it is answered. */
export class WaitingRequest implements ClientStream {
  readonly head: RequestHead;
  readonly receiver: ResponseReceiver;
  readonly #waiting: Set<WaitingRequest>;
  #stream: ClientStream | undefined;
  #paused = false;

  /** `waiting`: those that wait, which it is one of as long as it does. */
  constructor(head: RequestHead, receiver: ResponseReceiver, waiting: Set<WaitingRequest>) {
    this.head = head;
    this.receiver = receiver;
    this.#waiting = waiting;
    waiting.add(this);
  }

  /** It has been sent. */
  sent(stream: ClientStream): void {
    this.#stream = stream;
    if (this.#paused) stream.pause();
  }

  data(bytes: Buffer): boolean {
    return this.#stream?.data(bytes) ?? false;
  }

  end(trailers: Parameters<ClientStream["end"]>[0]): void {
    this.#stream?.end(trailers);
  }

  reset(cause: ResetCause): void {
    this.#waiting.delete(this);
    this.#stream?.reset(cause);
  }

  pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream?.resume();
  }
}
