import { HeaderList } from "../../../tables/header-list.ts";
import { Alarms } from "../../../transport/alarms.ts";
import type { ClientStream, RequestHead, ResetCause, ResponseHead, ResponseReceiver } from "../../stream.ts";
import { Http2ClientSession } from "../client-session.ts";
import type { Http2Options } from "../options.ts";
import { describeFrames } from "./describe.ts";
import { FakeWire } from "./fake-wire.ts";

const REQUEST: RequestHead = {
  method: "GET",
  target: "/",
  authority: "a.example",
  scheme: "http",
  upgrade: undefined,
  headers: new HeaderList(),
  body: { kind: "none" },
  expectsContinue: false,
};

/** An answer as the one who asked heard it. */
export class SeenAnswer implements ResponseReceiver {
  interim: number[] = [];
  response: ResponseHead | undefined;
  body = Buffer.alloc(0);
  trailers: HeaderList | undefined;
  ended = 0;
  cause: ResetCause | undefined;
  writes = 0;
  accepts = true;

  inform(status: number): void {
    this.interim.push(status);
  }

  head(head: ResponseHead): void {
    this.response = head;
  }

  data(bytes: Buffer): boolean {
    this.body = Buffer.concat([this.body, bytes]);
    return this.accepts;
  }

  end(trailers: HeaderList | undefined): void {
    this.ended++;
    this.trailers = trailers;
  }

  reset(cause: ResetCause): void {
    this.cause = cause;
  }

  writable(): void {
    this.writes++;
  }
}

/** A client session whose server is the test. */
export class TestClient {
  readonly wire = new FakeWire();
  readonly session: Http2ClientSession;
  closed = 0;
  changed = 0;
  nowMs = 0;
  readonly #describe = describeFrames();

  constructor(options: Partial<Http2Options> = {}) {
    this.session = new Http2ClientSession(
      this.wire,
      { changed: () => this.changed++, closed: () => this.closed++ },
      new Alarms(() => this.nowMs),
      { now: () => this.nowMs, headMs: 0, ...options },
    );
  }

  ask(request: Partial<RequestHead> = {}): SeenAnswer & { readonly stream: ClientStream } {
    const answer = new SeenAnswer();
    return Object.assign(answer, { stream: this.session.request({ ...REQUEST, ...request }, answer) });
  }

  send(...frames: readonly Uint8Array[]): void {
    this.wire.feed(Buffer.concat(frames));
  }

  heard(): string[] {
    return this.#describe(this.wire.take());
  }
}
