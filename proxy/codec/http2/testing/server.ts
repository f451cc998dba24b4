import { HeaderList } from "../../../tables/header-list.ts";
import { Alarms } from "../../../transport/alarms.ts";
import type { BodySink, RefusedRequest, RequestHead, ResetCause, ServerStream } from "../../stream.ts";
import type { Http2Options } from "../options.ts";
import { Http2ServerSession } from "../server-session.ts";
import { describeFrames } from "./describe.ts";
import { FakeWire } from "./fake-wire.ts";
import { parseFrames, type TestFrame } from "./frames.ts";

/** A request as the handler saw it, with what came of its body. */
export class SeenRequest implements BodySink {
  readonly head: RequestHead;
  readonly stream: ServerStream;
  body = Buffer.alloc(0);
  trailers: HeaderList | undefined;
  ended = false;
  cause: ResetCause | undefined;
  closed: boolean | undefined;
  writable = 0;
  /** What `data` answers. */
  accepts = true;

  constructor(head: RequestHead, stream: ServerStream) {
    this.head = head;
    this.stream = stream;
    stream.observe({
      writable: () => this.writable++,
      closed: (complete) => (this.closed = complete),
    });
  }

  data(bytes: Buffer): boolean {
    this.body = Buffer.concat([this.body, bytes]);
    return this.accepts;
  }

  end(trailers: HeaderList | undefined): void {
    this.ended = true;
    this.trailers = trailers;
  }

  reset(cause: ResetCause): void {
    this.cause = cause;
  }

  /** Answers 200 with the text, or without a body. */
  answer(body = ""): void {
    const headers = new HeaderList();
    if (body === "") {
      this.stream.respond({ status: 200, headers, body: { kind: "none" } });
      return;
    }
    this.stream.respond({ status: 200, headers, body: { kind: "sized", bytes: body.length } });
    this.stream.data(Buffer.from(body));
    this.stream.end(undefined);
  }
}

/** A server session whose client is the test. Time stands still unless the test moves it. */
export class TestServer {
  readonly wire = new FakeWire();
  readonly requests: SeenRequest[] = [];
  readonly refused: RefusedRequest[] = [];
  readonly session: Http2ServerSession;
  closed = 0;
  nowMs = 0;
  /** What happens to a request; nothing unless the test says so. */
  onRequest: (request: SeenRequest) => void = () => {};
  readonly #describe = describeFrames();

  constructor(options: Partial<Http2Options> = {}) {
    this.session = new Http2ServerSession(
      this.wire,
      {
        request: (head, stream) => {
          const request = new SeenRequest(head, stream);
          this.requests.push(request);
          this.onRequest(request);
        },
        refused: (request) => this.refused.push(request),
        closed: () => this.closed++,
      },
      new Alarms(() => this.nowMs),
      { now: () => this.nowMs, headMs: 0, ...options },
    );
  }

  send(...frames: readonly Uint8Array[]): void {
    this.wire.feed(Buffer.concat(frames));
  }

  frames(): TestFrame[] {
    return parseFrames(this.wire.take());
  }

  /** What the server made of it, in short. */
  heard(): string[] {
    return this.#describe(this.wire.take());
  }
}
