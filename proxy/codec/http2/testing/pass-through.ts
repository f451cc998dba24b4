import type {
  ClientSession,
  ClientStream,
  ResetCause,
  ResponseHead,
  ResponseReceiver,
  ServerSessionObserver,
  ServerStream,
} from "../../stream.ts";

/** The smallest proxy: every request goes to the one upstream, everything that comes back goes back. */
export function passThrough(upstream: () => ClientSession): ServerSessionObserver {
  return {
    request: (head, stream) => {
      const session = upstream();
      const answer = new Answer(stream);
      const asked = session.request(head, answer);
      answer.asked = asked;
      stream.observe({
        writable: () => asked.resume(),
        closed: (complete) => {
          if (!answer.over || !complete) asked.reset({ kind: "cancelled" });
        },
      });
      if (head.body.kind !== "none") {
        stream.receive({
          data: (bytes) => asked.data(bytes),
          end: (trailers) => asked.end(trailers),
          reset: (cause) => asked.reset(cause),
        });
      }
    },
    refused: () => {},
    closed: () => {},
  };
}

class Answer implements ResponseReceiver {
  readonly #stream: ServerStream;
  asked: ClientStream | undefined;
  over = false;

  constructor(stream: ServerStream) {
    this.#stream = stream;
  }

  inform(status: number, headers: Parameters<ResponseReceiver["inform"]>[1]): void {
    this.#stream.inform(status, headers);
  }

  head(head: ResponseHead): void {
    this.#stream.respond(head);
  }

  data(bytes: Buffer): boolean {
    return this.#stream.data(bytes);
  }

  end(trailers: Parameters<ResponseReceiver["end"]>[0]): void {
    this.over = true;
    this.#stream.end(trailers);
  }

  reset(cause: ResetCause): void {
    this.over = true;
    this.#stream.reset(cause);
  }

  writable(): void {
    this.#stream.resume();
  }
}
