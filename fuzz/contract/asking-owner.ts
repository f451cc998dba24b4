import assert from "node:assert/strict";
import type {
  BodyLength,
  ClientSession,
  ClientSessionObserver,
  ClientStream,
  RequestHead,
  ResetCause,
  ResponseHead,
  ResponseReceiver,
} from "../../proxy/codec/stream.ts";
import { HeaderList } from "../../proxy/tables/header-list.ts";
import type { Random } from "../../test/harness/random.ts";
import { checkHeaders, checkResponseHead } from "./heads.ts";
import { ReceivedBody } from "./received-body.ts";
import { SentBody } from "./sent-body.ts";

const MOST_REQUESTS = 12;

/** Asks, in some of all the ways in which that is allowed; holds the codec to `codec/stream.ts`. */
export class AskingOwner implements ClientSessionObserver {
  readonly #random: Random;
  readonly #asked: AskedRequest[] = [];
  session: ClientSession | undefined;
  isClosed = false;

  constructor(random: Random) {
    this.#random = random;
  }

  get written(): number {
    return this.#asked.reduce((sum, { written }) => sum + written, 0);
  }

  get answered(): number {
    return this.#asked.filter(({ isAnswered }) => isAnswered).length;
  }

  changed(): void {
    assert.ok(!this.isClosed, "changed after the end");
  }

  closed(): void {
    assert.ok(!this.isClosed, "closed twice");
    this.isClosed = true;
    for (const asked of this.#asked) assert.ok(asked.isOver, "the connection is closed before its stream");
  }

  step(): void {
    const { session } = this;
    if (session === undefined || this.isClosed) return;
    if (session.capacity > 0 && this.#asked.length < MOST_REQUESTS && this.#random.chance(0.5)) {
      assert.ok(!session.closing, "room on a connection that closes");
      this.#asked.push(new AskedRequest(this.#random, session));
    } else {
      const open = this.#asked.filter(({ isOver }) => !isOver);
      if (open.length > 0) this.#random.pick(open).step();
    }
  }

  settle(): void {
    for (const asked of this.#asked) asked.settle();
  }
}

class AskedRequest implements ResponseReceiver {
  readonly #random: Random;
  readonly #body: ReceivedBody;
  readonly #own: SentBody;
  readonly #stream: ClientStream;
  readonly #head: RequestHead;
  #response: ResponseHead | undefined;
  #gaveUp = false;
  /** The codec may answer within `request`. */
  #begun = false;

  constructor(random: Random, session: ClientSession) {
    this.#random = random;
    this.#head = requestHead(random);
    this.#body = new ReceivedBody(random, () => this.#announced());
    const { body, method, upgrade } = this.#head;
    this.#stream = session.request(this.#head, this);
    this.#begun = true;
    const own: BodyLength = method === "CONNECT" || upgrade !== undefined ? { kind: "streamed" } : body;
    this.#own = new SentBody(random, this.#stream, own);
  }

  get isOver(): boolean {
    return this.#body.over || this.#gaveUp;
  }

  get isAnswered(): boolean {
    return this.#response !== undefined;
  }

  get written(): number {
    return this.#own.bytes;
  }

  inform(status: number, headers: HeaderList): void {
    this.#expect("an interim answer");
    assert.equal(this.#response, undefined, "an interim answer after the answer");
    assert.ok(status >= 100 && status < 200 && status !== 101, `interim ${status}`);
    checkHeaders(headers);
  }

  head(head: ResponseHead): void {
    this.#expect("a head");
    assert.equal(this.#response, undefined, "a second head");
    checkResponseHead(head);
    this.#response = head;
  }

  data(bytes: Buffer): boolean {
    assert.notEqual(this.#response, undefined, "a body without a head");
    return this.#body.data(bytes);
  }

  end(trailers: HeaderList | undefined): void {
    assert.notEqual(this.#response, undefined, "an end without a head");
    this.#body.end(trailers);
  }

  reset(cause: ResetCause): void {
    this.#body.reset(cause);
  }

  writable(): void {
    if (this.#begun) this.#own.held = false;
  }

  step(): void {
    if (this.#body.held && this.#random.chance(0.6)) this.#resume();
    else if (this.#random.chance(0.03)) {
      this.#gaveUp = true;
      this.#body.gone = true;
      this.#stream.reset({ kind: "cancelled" });
    } else if (this.#mayWrite()) this.#own.step();
  }

  settle(): void {
    while (this.#body.held && !this.isOver) this.#resume();
  }

  #resume(): void {
    this.#body.held = false;
    this.#stream.resume();
  }

  /** Of bytes both ways nothing is sent before the other end has agreed. */
  #mayWrite(): boolean {
    const { method, upgrade } = this.#head;
    return (method !== "CONNECT" && upgrade === undefined) || this.#switched();
  }

  #switched(): boolean {
    const status = this.#response?.status ?? 0;
    if (this.#head.method === "CONNECT") return status >= 200 && status < 300;
    return status === 101 || (this.#head.upgrade !== undefined && status === 200);
  }

  #announced(): BodyLength | undefined {
    return this.#switched() ? undefined : this.#response?.body;
  }

  #expect(what: string): void {
    assert.ok(!this.isOver, `${what} after the end`);
  }
}

const AUTHORITY = "a.example";

function requestHead(random: Random): RequestHead {
  const kind = random.below(10);
  const method = kind < 4 ? "GET" : kind < 7 ? "POST" : kind === 7 ? "HEAD" : kind === 8 ? "CONNECT" : "GET";
  const body: BodyLength =
    method === "POST"
      ? random.pick<BodyLength>([{ kind: "streamed" }, { kind: "sized", bytes: 5 }, { kind: "none" }])
      : { kind: "none" };
  return {
    method,
    target: method === "CONNECT" ? "" : "/a?b",
    authority: method === "CONNECT" ? `${AUTHORITY}:80` : AUTHORITY,
    scheme: "http",
    upgrade: kind === 9 ? "websocket" : undefined,
    headers: HeaderList.fromRaw(["x-a", "1"]),
    body,
    expectsContinue: false,
  };
}
