import assert from "node:assert/strict";
import type {
  BodyLength,
  RefusedRequest,
  RequestHandler,
  RequestHead,
  ServerSessionObserver,
  ServerStream,
  ServerStreamObserver,
} from "../../proxy/codec/stream.ts";
import { HeaderList } from "../../proxy/tables/header-list.ts";
import type { Random } from "../../test/harness/random.ts";
import { checkRequestHead } from "./heads.ts";
import { ReceivedBody } from "./received-body.ts";
import { SentBody } from "./sent-body.ts";

const STATUSES = [200, 200, 200, 204, 304, 404, 503];

/** Serves what comes, in some of all the ways in which that is allowed; holds the codec to `codec/stream.ts`. */
export class ServingOwner implements ServerSessionObserver {
  readonly #random: Random;
  readonly #requests: ServedRequest[] = [];
  isClosed = false;
  refusals = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  readonly request: RequestHandler = (head, stream) => {
    assert.ok(!this.isClosed, "a request after the end");
    checkRequestHead(head);
    const request = new ServedRequest(this.#random, head, stream);
    this.#requests.push(request);
    if (this.#random.chance(0.7)) request.step();
  };

  /** A TCP connection through a tunnel: the same without a head. */
  readonly bytes = (
    stream: Pick<ServerStream, "receive" | "pause" | "resume" | "observe" | "data" | "end" | "reset">,
  ): void => {
    assert.ok(!this.isClosed, "a stream after the end");
    this.#requests.push(new ServedRequest(this.#random, undefined, stream));
  };

  get written(): number {
    return this.#requests.reduce((sum, { written }) => sum + written, 0);
  }

  get served(): number {
    return this.#requests.length;
  }

  refused(_request: RefusedRequest): void {
    assert.ok(!this.isClosed, "a refusal after the end");
    this.refusals++;
  }

  closed(): void {
    assert.ok(!this.isClosed, "closed twice");
    this.isClosed = true;
    for (const request of this.#requests)
      assert.ok(request.isClosed, "the connection is closed before its stream");
  }

  step(): void {
    const open = this.#requests.filter(({ isClosed }) => !isClosed);
    if (open.length > 0) this.#random.pick(open).step();
  }

  /** Nobody is held back any more. */
  settle(): void {
    for (const request of this.#requests) request.settle();
  }
}

type AnyStream = Omit<ServerStream, "inform" | "respond" | "closeAfter"> & Partial<ServerStream>;

class ServedRequest implements ServerStreamObserver {
  readonly #random: Random;
  readonly #head: RequestHead | undefined;
  readonly #stream: AnyStream;
  readonly #body: ReceivedBody;
  #answer: SentBody | undefined;
  #receives = false;
  #isRaw: boolean;
  isClosed = false;

  constructor(random: Random, head: RequestHead | undefined, stream: AnyStream) {
    this.#random = random;
    this.#head = head;
    this.#stream = stream;
    this.#isRaw = head === undefined;
    if (head === undefined) this.#answer = new SentBody(random, stream, { kind: "streamed" });
    this.#body = new ReceivedBody(random, () => (this.#isRaw ? undefined : head?.body));
    stream.observe(this);
  }

  get written(): number {
    return this.#answer?.bytes ?? 0;
  }

  writable(): void {
    assert.ok(!this.isClosed, "writable after the end");
    if (this.#answer !== undefined) this.#answer.held = false;
  }

  closed(_complete: boolean): void {
    assert.ok(!this.isClosed, "a stream is closed twice");
    this.isClosed = true;
    this.#body.gone = true;
  }

  step(): void {
    const random = this.#random;
    if (this.isClosed) return;
    if (this.#mayReceive() && random.chance(0.6)) this.#receive();
    else if (this.#body.held && random.chance(0.6)) this.#resume();
    else if (random.chance(0.03)) this.#giveUp();
    else if (this.#answer !== undefined) this.#answer.step();
    else if (random.chance(0.1)) this.#stream.inform?.(103, HeaderList.fromRaw(["link", "</a>"]));
    else if (random.chance(0.05)) this.#stream.closeAfter?.("unread");
    else if (random.chance(0.6)) this.#respond();
  }

  settle(): void {
    if (this.isClosed) return;
    if (this.#mayReceive()) this.#receive();
    while (this.#body.held && !this.isClosed) this.#resume();
  }

  /** Of bytes both ways nothing is taken before the answer has agreed to them. */
  #mayReceive(): boolean {
    const { upgrade, method } = this.#head ?? {};
    const changes = upgrade !== undefined || method === "CONNECT";
    return !this.#receives && (!changes || this.#answer !== undefined);
  }

  #receive(): void {
    this.#receives = true;
    this.#stream.receive(this.#body);
  }

  #resume(): void {
    this.#body.held = false;
    this.#stream.resume();
  }

  #giveUp(): void {
    this.#body.gone = true;
    this.#stream.reset({ kind: "cancelled" });
  }

  #respond(): void {
    const { method = "", upgrade } = this.#head ?? {};
    const random = this.#random;
    const switches = (upgrade !== undefined || method === "CONNECT") && random.chance(0.7);
    const status = switches
      ? method === "CONNECT"
        ? 200
        : 101
      : random.pick(STATUSES.slice(method === "CONNECT" ? 5 : 0));
    const body = switches ? STREAMED : this.#answerBody(method, status);
    if (switches) this.#isRaw = true;
    this.#answer = new SentBody(random, this.#stream, body);
    this.#stream.respond?.({ status, headers: HeaderList.fromRaw(["x-a", "1"]), body });
  }

  #answerBody(method: string, status: number): BodyLength {
    if (method === "HEAD" || status === 204 || status === 304) return { kind: "none" };
    return this.#random.pick<BodyLength>([{ kind: "none" }, { kind: "sized", bytes: 11 }, STREAMED]);
  }
}

const STREAMED: BodyLength = { kind: "streamed" };
