import assert from "node:assert/strict";
import { test } from "node:test";
import { type WirePair, wirePair } from "../../../test/fakes/wire-pair.ts";
import { Random } from "../../../test/harness/random.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { Alarms } from "../../transport/alarms.ts";
import type { BodyLength, RequestHead, ResponseHead, ServerStream } from "../stream.ts";
import type { Settings } from "./frames.ts";
import { TunnelClient } from "./tunnel-client.ts";
import { TunnelServer } from "./tunnel-server.ts";
import type { ByteStream } from "./tunnel-server-stream.ts";

const NONE: BodyLength = { kind: "none" };
const STREAMED: BodyLength = { kind: "streamed" };

/** What one receiver heard, in order; bytes of a body joined. */
class Heard {
  readonly events: string[] = [];
  body = "";
  /** Bytes that it takes before it says that it has enough. */
  appetite = Number.POSITIVE_INFINITY;

  inform(status: number): void {
    this.events.push(`inform ${status}`);
  }

  head(head: ResponseHead): void {
    this.events.push(`head ${head.status}`);
  }

  data(bytes: Buffer): boolean {
    this.body += bytes.toString("latin1");
    this.appetite -= bytes.length;
    return this.appetite > 0;
  }

  end(trailers: HeaderList | undefined): void {
    this.events.push(trailers ? `end ${trailers.toRaw().join("=")}` : "end");
  }

  reset(cause: { kind: string }): void {
    this.events.push(`reset ${cause.kind}`);
  }

  writable(): void {
    this.events.push("writable");
  }
}

interface Served {
  readonly head: RequestHead | undefined;
  readonly stream: ServerStream | ByteStream;
  readonly closed: boolean[];
  writable: number;
}

interface Both extends WirePair {
  readonly tunnel: TunnelClient;
  readonly serving: TunnelServer;
  readonly served: Served[];
  /** The newest request, which is HTTP. */
  readonly newest: () => Served & { readonly stream: ServerStream };
  readonly ends: string[];
}

const IDLE_MS = 600_000;
const ALARMS = new Alarms(() => performance.now());

function both(settings: Partial<Settings> = {}, alarms = ALARMS): Both {
  const pair = wirePair();
  const served: Served[] = [];
  const ends: string[] = [];
  const take = (head: RequestHead | undefined, stream: ServerStream | ByteStream): void => {
    const one: Served = { head, stream, closed: [], writable: 0 };
    served.push(one);
    stream.observe({ writable: () => one.writable++, closed: (complete) => one.closed.push(complete) });
  };
  const own = { maxStreams: 100, window: 65_536, ...settings };
  const tunnel = new TunnelClient(
    pair.client,
    { changed: () => {}, closed: () => ends.push("client") },
    alarms,
    own,
  );
  const bytes = (stream: ByteStream): void => take(undefined, stream);
  const observer = { request: take, bytes, refused: () => {}, closed: () => ends.push("server") };
  const serving = new TunnelServer(pair.server, observer, { alarms, idleMs: IDLE_MS, settings: own });
  pair.settle();
  const newest = (): Served & { stream: ServerStream } => served.at(-1) as Served & { stream: ServerStream };
  return { ...pair, tunnel, serving, served, ends, newest };
}

function request(body: BodyLength = NONE, over: Partial<RequestHead> = {}): RequestHead {
  return {
    method: body.kind === "none" ? "GET" : "POST",
    target: "/",
    authority: "reviews",
    scheme: undefined,
    upgrade: undefined,
    headers: new HeaderList(),
    body,
    expectsContinue: false,
    ...over,
  };
}

const answer = (status: number, body: BodyLength): ResponseHead => ({
  status,
  body,
  headers: new HeaderList(),
});

test("a request and its answer, and both ends know that it is over", () => {
  const { tunnel, serving, newest, settle } = both();
  const heard = new Heard();
  tunnel.request(request(), heard);
  settle();
  const { stream, closed } = newest();
  assert.equal(tunnel.active + serving.active, 2);
  stream.respond(answer(200, { kind: "sized", bytes: 2 }));
  stream.data(Buffer.from("ok"));
  stream.end(undefined);
  settle();
  assert.deepEqual([heard.events, heard.body, closed], [["head 200", "end"], "ok", [true]]);
  assert.equal(tunnel.active + serving.active, 0);
});

test("bodies, trailers and interim answers go both ways", () => {
  const { tunnel, newest, settle } = both();
  const heard = new Heard();
  const sent = tunnel.request(request(STREAMED, { expectsContinue: true }), heard);
  settle();
  const { stream, head } = newest();
  assert.equal(head?.expectsContinue, true);
  stream.inform(100, new HeaderList());
  const got = new Heard();
  stream.receive(got);
  settle();
  sent.data(Buffer.from("abc"));
  sent.end(HeaderList.fromRaw(["x-sum", "3"]));
  settle();
  assert.deepEqual([got.body, got.events], ["abc", ["end x-sum=3"]]);
  stream.respond(answer(200, STREAMED));
  stream.data(Buffer.from("def"));
  stream.end(HeaderList.fromRaw(["grpc-status", "0"]));
  settle();
  assert.deepEqual([heard.events, heard.body], [["inform 100", "head 200", "end grpc-status=0"], "def"]);
});

test("an answer before the request's end is whole, and the rest of the request is dropped", () => {
  const { tunnel, serving, newest, settle } = both();
  const heard = new Heard();
  const sent = tunnel.request(request(STREAMED), heard);
  sent.data(Buffer.from("first"));
  settle();
  const { stream, closed } = newest();
  stream.respond(answer(413, NONE));
  settle();
  sent.data(Buffer.from("second"));
  sent.end(undefined);
  settle();
  assert.deepEqual([heard.events, closed, tunnel.active + serving.active], [["head 413", "end"], [true], 0]);
});

test("who takes nothing gets no more than one window, and the others go on", () => {
  const { tunnel, newest, served, settle } = both({ window: 1000 });
  const slow = new Heard();
  slow.appetite = 1;
  const quick = new Heard();
  tunnel.request(request(), slow);
  settle();
  const { stream } = newest();
  stream.respond(answer(200, STREAMED));
  let offered = 0;
  while (stream.data(Buffer.alloc(100, "s"))) offered++;
  settle();
  assert.ok(offered <= 10, `${offered} times 100 octets were taken for a window of 1000`);
  assert.ok(slow.body.length <= 1000);
  tunnel.request(request(), quick);
  settle();
  newest().stream.respond(answer(200, NONE));
  settle();
  assert.deepEqual(quick.events, ["head 200", "end"]);
  assert.equal(served[0]?.writable, 0);
});

test("credit comes back as bodies are taken, and everything arrives", () => {
  const { tunnel, newest, settle } = both({ window: 1000 });
  const heard = new Heard();
  heard.appetite = 700;
  const own = tunnel.request(request(), heard);
  settle();
  const served = newest();
  served.stream.respond(answer(200, STREAMED));
  const wanted = "0123456789".repeat(5000);
  served.stream.data(Buffer.from(wanted));
  served.stream.end(undefined);
  for (let round = 0; round < 500 && !heard.events.includes("end"); round++) {
    settle();
    heard.appetite = 700;
    own.resume();
  }
  assert.equal(heard.body, wanted);
  assert.deepEqual(heard.events, ["head 200", "end"]);
  assert.deepEqual(served.closed, [true]);
});

test("a stream that was told to hold on is told to go on, when there is credit and when the kernel has room", () => {
  const { tunnel, newest, server, client, settle } = both({ window: 1000 });
  const heard = new Heard();
  const sent = tunnel.request(request(STREAMED), heard);
  settle();
  assert.equal(sent.data(Buffer.alloc(1000)), false);
  newest().stream.receive(new Heard());
  settle();
  assert.deepEqual(heard.events, ["writable"]);
  client.pending = 10_000_000;
  assert.equal(sent.data(Buffer.alloc(10)), false);
  assert.equal(client.take().length, 0, "nothing is written to a kernel that is full");
  client.drain();
  assert.deepEqual(heard.events, ["writable", "writable"]);
  assert.ok(client.take().length > 0);
  assert.equal(server.state, "open");
});

test("either end gives a stream up, and the other hears why", () => {
  for (const { cause, kind } of [
    { cause: { kind: "cancelled" }, kind: "cancelled" },
    { cause: { kind: "refused" }, kind: "refused" },
    { cause: { kind: "limit", reason: "time" }, kind: "limit" },
    { cause: { kind: "protocol", reason: "" }, kind: "protocol" },
    { cause: { kind: "disconnected", reason: "" }, kind: "cancelled" },
  ] as const) {
    const { tunnel, serving, newest, settle } = both();
    const heard = new Heard();
    tunnel.request(request(), heard);
    settle();
    newest().stream.reset(cause);
    settle();
    assert.deepEqual([heard.events, newest().closed], [[`reset ${kind}`], [false]]);
    const sent = tunnel.request(request(STREAMED), heard);
    settle();
    const got = new Heard();
    newest().stream.receive(got);
    sent.reset(cause);
    settle();
    assert.deepEqual([got.events, newest().closed], [[`reset ${kind}`], [false]]);
    assert.equal(tunnel.active + serving.active, 0);
  }
});

test("a TCP connection has two directions, each with its own end", () => {
  const { tunnel, serving, served, settle } = both();
  const heard = new Heard();
  const closed: boolean[] = [];
  const sent = tunnel.connect();
  sent.observe({ writable: () => {}, closed: (complete) => closed.push(complete) });
  sent.receive(heard);
  settle();
  const stream = served[0]?.stream;
  assert.ok(stream && served[0]?.head === undefined);
  stream.data(Buffer.from("220 hello"));
  const got = new Heard();
  stream.receive(got);
  sent.data(Buffer.from("QUIT"));
  sent.end(undefined);
  settle();
  assert.deepEqual([heard.body, got.body, got.events], ["220 hello", "QUIT", ["end"]]);
  stream.data(Buffer.from(" bye"));
  stream.end(undefined);
  settle();
  assert.deepEqual([heard.body, heard.events], ["220 hello bye", ["end"]]);
  assert.deepEqual([closed, served[0]?.closed], [[true], [true]]);
  assert.equal(tunnel.active + serving.active, 0);
});

test("an upgraded request carries bytes both ways after 101, and a refused one ends", () => {
  const { tunnel, serving, newest, settle } = both();
  const heard = new Heard();
  const sent = tunnel.request(request(NONE, { upgrade: "websocket" }), heard);
  settle();
  const { stream, head } = newest();
  assert.equal(head?.upgrade, "websocket");
  const got = new Heard();
  stream.receive(got);
  stream.respond(answer(101, NONE));
  stream.data(Buffer.from("from the server"));
  settle();
  sent.data(Buffer.from("from the client"));
  sent.end(undefined);
  settle();
  stream.end(undefined);
  settle();
  assert.deepEqual(
    [heard.events, heard.body, got.body],
    [["head 101", "end"], "from the server", "from the client"],
  );
  const refused = new Heard();
  tunnel.request(request(NONE, { upgrade: "websocket" }), refused);
  settle();
  newest().stream.respond(answer(403, NONE));
  settle();
  assert.deepEqual([refused.events, tunnel.active + serving.active], [["head 403", "end"], 0]);
});

test("more streams than the other end takes are not opened, and refused by it", () => {
  const { tunnel, served, settle } = both({ maxStreams: 2 });
  tunnel.request(request(), new Heard());
  tunnel.request(request(), new Heard());
  assert.equal(tunnel.capacity, 0);
  assert.throws(() => tunnel.request(request(), new Heard()), /no room/);
  settle();
  assert.equal(served.length, 2);
  // A client that has not heard the settings yet.
  const early = wirePair();
  const client = new TunnelClient(early.client, { changed: () => {}, closed: () => {} }, ALARMS);
  const heard = [1, 2, 3].map(() => {
    const one = new Heard();
    client.request(request(), one);
    return one;
  });
  const serving = new TunnelServer(
    early.server,
    { request: () => {}, bytes: undefined, refused: () => {}, closed: () => {} },
    { alarms: ALARMS, idleMs: 0, settings: { maxStreams: 2, window: 10 } },
  );
  early.settle();
  assert.equal(serving.active, 2);
  assert.deepEqual(
    heard.map(({ events }) => events),
    [[], [], ["reset refused"]],
  );
});

test("a server that drains lets everything come to its end, also what was on its way", () => {
  const { tunnel, serving, newest, served, client, server, settle, ends } = both();
  const first = new Heard();
  tunnel.request(request(), first);
  settle();
  serving.drain();
  const onItsWay = new Heard();
  tunnel.request(request(), onItsWay);
  settle();
  assert.equal(tunnel.closing, true);
  assert.equal(served.length, 2);
  assert.equal(server.state, "open");
  for (const { stream } of served) (stream as ServerStream).respond(answer(200, NONE));
  settle();
  assert.deepEqual(
    [first.events, onItsWay.events],
    [
      ["head 200", "end"],
      ["head 200", "end"],
    ],
  );
  assert.deepEqual([client.state, server.state, newest().closed, ends], ["ended", "ended", [true], []]);
});

test("a client that drains closes when its last stream is over", () => {
  const { tunnel, newest, client, settle } = both();
  tunnel.request(request(), new Heard());
  tunnel.drain();
  assert.equal(tunnel.capacity, 0);
  settle();
  assert.equal(client.state, "open");
  newest().stream.respond(answer(204, NONE));
  settle();
  assert.equal(client.state, "ended");
});

test("streams that a server says it has not looked at can be sent again", () => {
  const { tunnel, client, settle } = both();
  const [one, two] = [new Heard(), new Heard()];
  tunnel.request(request(), one);
  tunnel.request(request(), two);
  settle();
  const goaway = Buffer.from("0000040b0000000000000001", "hex");
  client.feed(goaway);
  assert.deepEqual([one.events, two.events], [[], ["reset refused"]]);
});

test("a connection that breaks is told to every stream, once, and to the owner", () => {
  const { tunnel, served, client, server, ends, settle } = both();
  const heard = [new Heard(), new Heard()];
  for (const one of heard) tunnel.request(request(STREAMED), one);
  settle();
  const got = new Heard();
  served[0]?.stream.receive(got);
  client.fail("reset");
  server.finish();
  assert.deepEqual(
    heard.map(({ events }) => events),
    [["reset disconnected"], ["reset disconnected"]],
  );
  assert.deepEqual(got.events, ["reset disconnected"]);
  assert.deepEqual(
    served.map(({ closed }) => closed),
    [[false], [false]],
  );
  assert.deepEqual(ends, ["client", "server"]);
  assert.equal(server.state, "destroyed");
});

test("a silent other end is asked for a sign of life while streams wait, and then given up", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  const { tunnel, settle, client } = both({}, new Alarms(() => now));
  const heard = new Heard();
  tunnel.request(request(), heard);
  settle();
  const pass = (ms: number, answered: boolean): void => {
    for (const until = now + ms; now < until; ) {
      now += 500;
      t.mock.timers.tick(500);
      if (answered) settle();
    }
  };
  pass(60_000, true);
  assert.deepEqual(heard.events, [], "a live one that has nothing to say stays");
  pass(9000, false);
  assert.equal(client.state, "open");
  pass(3000, false);
  assert.deepEqual([heard.events, client.state], [["reset disconnected"], "destroyed"]);
});

test("nothing waits for a sign of life when nothing is asked", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  const { tunnel, newest, client, settle } = both({}, new Alarms(() => now));
  tunnel.request(request(), new Heard());
  settle();
  newest().stream.respond(answer(200, NONE));
  settle();
  for (; now < 100_000; now += 1000) t.mock.timers.tick(1000);
  assert.deepEqual([client.state, client.take().length], ["open", 0]);
});

test("a client that asks nothing is asked to leave, and cut off when it is not there to hear it", (t) => {
  for (const isThere of [true, false]) {
    t.mock.timers.reset();
    t.mock.timers.enable({ apis: ["setTimeout"] });
    let now = 0;
    const { tunnel, newest, server, settle } = both({}, new Alarms(() => now));
    tunnel.request(request(), new Heard());
    settle();
    const pass = (ms: number): void => {
      now += ms;
      t.mock.timers.tick(ms);
      if (isThere) settle();
    };
    pass(3 * IDLE_MS);
    if (isThere) assert.equal(server.state, "open", "it has a request, which it does not forget");
    newest().stream.respond(answer(200, NONE));
    settle();
    pass(IDLE_MS);
    assert.equal(server.state, isThere ? "ended" : "open");
    if (isThere) server.fail("both ends have closed it");
    pass(IDLE_MS);
    assert.equal(server.state, isThere ? "ended" : "destroyed");
  }
});

test("random exchanges, in random pieces, come out as they went in", () => {
  const random = new Random(5);
  for (let round = 0; round < 60; round++) {
    const { tunnel, serving, served, settle } = both({ window: random.pick([1, 10, 300, 65_536]) });
    const wanted: {
      readonly heard: Heard;
      readonly up: string;
      readonly down: string;
      readonly got: Heard;
    }[] = [];
    for (let index = 0; index < 8; index++) {
      const up = "u".repeat(random.below(random.pick([3, 500, 40_000])));
      const down = "d".repeat(random.below(random.pick([3, 500, 40_000])));
      const heard = new Heard();
      const got = new Heard();
      const sent = tunnel.request(
        request(random.chance(0.5) ? STREAMED : { kind: "sized", bytes: up.length }),
        heard,
      );
      sent.data(Buffer.from(up));
      sent.end(undefined);
      wanted.push({ heard, up, down, got });
    }
    settle(() => 1 + random.below(2000));
    served.forEach(({ stream }, index) => {
      const one = wanted[index];
      assert.ok(one);
      stream.receive(one.got);
      settle(() => 1 + random.below(2000));
      (stream as ServerStream).respond(
        answer(200, random.chance(0.5) ? STREAMED : { kind: "sized", bytes: one.down.length }),
      );
      stream.data(Buffer.from(one.down));
      stream.end(undefined);
    });
    settle(() => 1 + random.below(2000));
    for (const { heard, up, down, got } of wanted) {
      assert.deepEqual([got.body, heard.body], [up, down]);
      assert.deepEqual(
        [got.events, heard.events.filter((event) => event !== "writable")],
        [["end"], ["head 200", "end"]],
      );
    }
    assert.equal(tunnel.active + serving.active, 0);
  }
});

test("what came before anybody listened is read: a request, and the goodbye of a server that leaves", () => {
  const asked = wirePair();
  const first = new TunnelClient(asked.client, { changed: () => {}, closed: () => {} }, ALARMS);
  first.request(request(), new Heard());
  const late = wirePair();
  late.server.early = asked.client.take();
  const heads: string[] = [];
  const observer = { bytes: undefined, refused: () => {}, closed: () => {} };
  const serving = new TunnelServer(
    late.server,
    { ...observer, request: ({ method }) => heads.push(method) },
    { alarms: ALARMS, idleMs: 0 },
  );
  serving.drain();
  assert.deepEqual([heads, serving.active], [["GET"], 1]);
  late.client.early = late.server.take();
  const leaving = new TunnelClient(late.client, { changed: () => {}, closed: () => {} }, ALARMS);
  assert.deepEqual([leaving.closing, leaving.capacity], [true, 0]);
});

test("who drains a connection that is gone hears nothing more of it", () => {
  const { client: wire } = wirePair();
  const heard: string[] = [];
  const observer = { changed: () => heard.push("changed"), closed: () => heard.push("closed") };
  const client = new TunnelClient(wire, observer, ALARMS);
  wire.fail("reset");
  client.drain();
  assert.deepEqual(heard, ["closed"]);
});
