import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../../tables/header-list.ts";
import { FrameType } from "./frame.ts";
import { TestClient } from "./testing/client.ts";
import {
  block,
  data,
  type Fields,
  frame,
  goaway,
  headers,
  rstStream,
  settings,
  uint32,
  windowUpdate,
} from "./testing/frames.ts";

const OK: Fields = [[":status", "200"]];
const SERVER_HELLO = settings();
const POST = { method: "POST", body: { kind: "streamed" } } as const;

test("a request is one block: no table, the static table's fields whole, trailers welcome", () => {
  const client = new TestClient();
  const headers = HeaderList.fromRaw(["X-A", "b", "Connection", "close", "cookie", "c=d"]);
  client.ask({
    headers,
    method: "POST",
    body: { kind: "sized", bytes: 3 },
    expectsContinue: true,
    target: "/x?y",
  });
  assert.deepEqual(client.heard(), [
    "headers 1 :method: POST, :scheme: http, :authority: a.example, :path: /x?y, x-a: b, cookie: c=d, te: trailers, content-length: 3, expect: 100-continue",
  ]);
});

test("a request without a body ends with its head; streams are numbered oddly and upwards", () => {
  const client = new TestClient();
  client.ask();
  client.ask({ scheme: "https" });
  assert.deepEqual(client.heard(), [
    "headers 1 :method: GET, :scheme: http, :authority: a.example, :path: /, te: trailers end",
    "headers 3 :method: GET, :scheme: https, :authority: a.example, :path: /, te: trailers end",
  ]);
});

interface Case {
  readonly name: string;
  readonly frames: readonly Uint8Array[];
  readonly want: readonly string[];
  readonly cause?: string;
}

const malformed = (name: string, ...frames: readonly Uint8Array[]): Case => ({
  name,
  frames,
  want: ["reset 1 protocolError"],
  cause: "protocol",
});

const cases: readonly Case[] = [
  malformed("DATA before a head", data(1, "x")),
  malformed("a head without :status", headers(1, [["a", "b"]])),
  malformed(":status that is no number", headers(1, [[":status", "abc"]])),
  malformed(":status out of range", headers(1, [[":status", "600"]])),
  malformed(":status twice", headers(1, [...OK, ...OK])),
  malformed("a pseudo-header of requests", headers(1, [...OK, [":path", "/"]])),
  malformed("a field name in upper case", headers(1, [...OK, ["A", "b"]])),
  malformed("a field of the connection", headers(1, [...OK, ["keep-alive", "1"]])),
  malformed("an interim answer that ends", headers(1, [[":status", "103"]])),
  malformed("101, which HTTP/2 does not know", headers(1, [[":status", "101"]], "open")),
  malformed(
    "interim answers without end",
    ...Array.from({ length: 33 }, () => headers(1, [[":status", "103"]], "open")),
  ),
  malformed("a content-length without a body", headers(1, [...OK, ["content-length", "3"]])),
  malformed(
    "more DATA than content-length",
    headers(1, [...OK, ["content-length", "1"]], "open"),
    data(1, "ab"),
  ),
  malformed(
    "less DATA than content-length",
    headers(1, [...OK, ["content-length", "3"]], "open"),
    data(1, "ab", "end"),
  ),
  malformed("DATA for 204", headers(1, [[":status", "204"]], "open"), data(1, "ab", "end")),
  malformed("DATA for 304", headers(1, [[":status", "304"]], "open"), data(1, "ab", "end")),
  malformed("trailers that do not end", headers(1, OK, "open"), headers(1, [["a", "b"]], "open")),
  malformed(
    "a head that is too large",
    headers(1, [...OK, ...Array.from({ length: 101 }, () => ["a", "b"] as const)]),
  ),
  {
    name: "PUSH_PROMISE",
    frames: [frame(FrameType.pushPromise, 4, 1, Buffer.concat([uint32(2), block(OK)]))],
    want: ["goaway 0 protocolError"],
    cause: "disconnected",
  },
  {
    name: "a stream that only a server could open",
    frames: [headers(2, OK)],
    want: ["goaway 0 protocolError"],
    cause: "disconnected",
  },
  {
    name: "an answer to a request that was never sent",
    frames: [headers(3, OK)],
    want: ["goaway 0 protocolError"],
    cause: "disconnected",
  },
  {
    name: "ENABLE_PUSH from a server",
    frames: [settings([2, 1])],
    want: ["goaway 0 protocolError"],
    cause: "disconnected",
  },
  {
    name: "GOAWAY that takes more than the one before",
    frames: [goaway(1, 0), goaway(3, 0)],
    want: ["goaway 0 protocolError"],
    cause: "disconnected",
  },
  {
    name: "RST_STREAM of a request that was not looked at",
    frames: [rstStream(1, 7)],
    want: [],
    cause: "refused",
  },
  { name: "RST_STREAM", frames: [rstStream(1, 2)], want: [], cause: "cancelled" },
  {
    name: "RST_STREAM in the middle of an answer",
    frames: [headers(1, OK, "open"), rstStream(1, 8)],
    want: [],
    cause: "cancelled",
  },
];

for (const { name, frames, want, cause } of cases) {
  test(`from a server: ${name}`, () => {
    const client = new TestClient();
    const answer = client.ask();
    client.heard();
    client.send(SERVER_HELLO, ...frames);
    assert.deepEqual(
      client.heard().filter((text) => text !== "settings ack"),
      want,
    );
    assert.equal(answer.cause?.kind, cause);
    assert.equal(answer.ended, 0);
    assert.equal(client.session.active, 0);
  });
}

test("heads, interim answers, bodies and trailers arrive in order", () => {
  const client = new TestClient();
  const answer = client.ask();
  client.send(
    SERVER_HELLO,
    headers(
      1,
      [
        [":status", "103"],
        ["link", "x"],
      ],
      "open",
    ),
    headers(1, [...OK, ["content-length", "4"], ["set-cookie", "a"], ["set-cookie", "b"]], "open"),
    data(1, "ab"),
    data(1, "cd"),
    headers(1, [["grpc-status", "0"]]),
  );
  assert.deepEqual(answer.interim, [103]);
  assert.equal(answer.response?.status, 200);
  assert.deepEqual(answer.response?.body, { kind: "sized", bytes: 4 });
  assert.deepEqual(answer.response?.headers.values("set-cookie"), ["a", "b"]);
  assert.equal(answer.body.toString(), "abcd");
  assert.equal(answer.trailers?.get("grpc-status"), "0");
  assert.equal(answer.ended, 1);
  assert.equal(client.session.active, 0);
});

test("an answer to HEAD says how long the body would be, and has none", () => {
  const client = new TestClient();
  const answer = client.ask({ method: "HEAD" });
  client.send(SERVER_HELLO, headers(1, [...OK, ["content-length", "4"]]));
  assert.deepEqual(answer.response?.body, { kind: "none", announced: 4 });
  assert.equal(answer.ended, 1);
});

test("an answer before the request's end stays whole when the server asks for no more (§8.1)", () => {
  const client = new TestClient();
  const answer = client.ask(POST);
  client.send(SERVER_HELLO, headers(1, [[":status", "413"]]), rstStream(1, 0));
  assert.equal(answer.response?.status, 413);
  assert.equal(answer.ended, 1);
  assert.equal(answer.cause, undefined);
  assert.equal(client.session.active, 0);
  client.heard();
  assert.equal(answer.stream.data(Buffer.from("more")), true, "nobody is held up over what nobody wants");
  assert.deepEqual(client.heard(), []);
});

test("capacity: the least of what the server allows and what we want, a hundred until it has said", () => {
  const client = new TestClient({ maxConcurrentStreams: 150 });
  assert.equal(client.session.capacity, 100);
  client.send(SERVER_HELLO);
  assert.equal(client.session.capacity, 150);
  client.send(settings([3, 2]));
  assert.equal(client.changed, 2);
  client.ask();
  assert.equal(client.session.capacity, 1);
  client.ask();
  client.ask();
  assert.equal(client.session.capacity, 0);
  assert.equal(client.session.active, 2, "the third was not sent");
  client.send(headers(1, OK));
  assert.equal(client.session.capacity, 1);
});

test("GOAWAY gives back what was not looked at, lets the rest end, and then the connection closes", () => {
  const client = new TestClient();
  const [first, second] = [client.ask(), client.ask()];
  client.send(SERVER_HELLO, goaway(0x7fff_ffff, 0));
  assert.equal(client.session.closing, true);
  assert.equal(client.session.capacity, 0);
  assert.deepEqual([second.cause], [undefined]);
  client.send(goaway(1, 0));
  assert.deepEqual(second.cause, { kind: "refused" });
  assert.equal(first.cause, undefined);
  assert.equal(client.wire.ended, false);
  client.send(headers(1, OK));
  assert.equal(first.ended, 1);
  assert.equal(client.wire.ended, true);
});

test("draining says goodbye and closes after the last answer", () => {
  const client = new TestClient();
  const answer = client.ask();
  client.send(SERVER_HELLO);
  client.heard();
  client.session.drain();
  assert.deepEqual(client.heard(), ["goaway 0 noError"]);
  assert.equal(client.wire.ended, false);
  client.send(headers(1, OK));
  assert.equal(answer.ended, 1);
  assert.equal(client.wire.ended, true);
});

test("giving a request up resets its stream, and what was on its way is passed over", () => {
  const client = new TestClient();
  const answer = client.ask();
  client.send(SERVER_HELLO);
  client.heard();
  answer.stream.reset({ kind: "cancelled" });
  client.send(headers(1, OK, "open"), data(1, "late", "end"), windowUpdate(1, 1));
  assert.deepEqual(client.heard(), ["reset 1 cancel"]);
  assert.equal(answer.response, undefined);
  assert.equal(answer.cause, undefined);
});

test("a lost connection ends what was not answered, and leaves alone what was", () => {
  const client = new TestClient();
  const [held, open] = [client.ask(), client.ask()];
  held.accepts = false;
  client.send(SERVER_HELLO, headers(1, OK, "open"), data(1, "a"), data(1, "b", "end"));
  client.wire.input?.closed("reset by peer");
  assert.deepEqual(open.cause, { kind: "disconnected", reason: "reset by peer" });
  assert.equal(client.closed, 1);
  assert.equal(held.cause, undefined);
  held.stream.resume();
  assert.equal(held.body.toString(), "ab");
  held.stream.resume();
  assert.equal(held.ended, 1);
});

test("a change of protocols is asked for in the words of RFC 8441, where the server takes it", async () => {
  const client = new TestClient();
  const websocket = { upgrade: "websocket", body: { kind: "none" } } as const;
  client.heard();
  const answer = client.ask(websocket);
  const other = client.ask(websocket);
  assert.equal(client.session.active, 2);
  other.stream.reset({ kind: "cancelled" });
  assert.deepEqual(client.heard(), [], "nothing is asked before the server has said whether it takes it");
  client.send(settings([8, 1]));
  assert.deepEqual(client.heard(), [
    "settings ack",
    "headers 1 :method: CONNECT, :protocol: websocket, :scheme: http, :authority: a.example, :path: /, te: trailers",
  ]);
  client.send(headers(1, OK, "open"), data(1, "frame"));
  assert.equal(answer.response?.status, 101);
  assert.equal(answer.body.toString(), "frame");
  answer.stream.data(Buffer.from("back"));
  assert.deepEqual(client.heard(), ["data 1 4"]);
});

test("a change of protocols that the server does not take fails, and so does one that never hears of it", async () => {
  const websocket = { upgrade: "websocket", body: { kind: "none" } } as const;
  const client = new TestClient();
  const refused = client.ask(websocket);
  client.send(settings());
  await Promise.resolve();
  assert.match(JSON.stringify(refused.cause), /RFC 8441/);
  const other = new TestClient();
  const lost = other.ask(websocket);
  other.wire.input?.closed("gone");
  assert.deepEqual(lost.cause, { kind: "disconnected", reason: "gone" });
});

test("a request beside one that is refused in the same turn is answered, and the end of the connection is told last", async () => {
  const websocket = { upgrade: "websocket", body: { kind: "none" } } as const;
  const client = new TestClient();
  client.send(settings());
  const refused = client.ask(websocket);
  const other = client.ask();
  assert.equal(refused.cause, undefined, "its owner does not have it yet");
  await Promise.resolve();
  assert.match(JSON.stringify(refused.cause), /RFC 8441/);
  client.send(headers(1, OK));
  assert.equal(other.ended, 1, "its number was the refused one's, too");

  const given = client.ask(websocket);
  given.stream.reset({ kind: "cancelled" });
  const last = client.ask(websocket);
  client.wire.input?.closed("gone");
  assert.deepEqual(last.cause, { kind: "disconnected", reason: "gone" });
  const { changed } = client;
  await Promise.resolve();
  assert.equal(client.changed, changed);
  assert.equal(given.cause, undefined);
});

test("CONNECT has an authority and nothing else, and bytes go both ways after 200", () => {
  const client = new TestClient();
  const answer = client.ask({
    method: "CONNECT",
    target: "",
    authority: "a.example:443",
    body: { kind: "streamed" },
  });
  assert.deepEqual(client.heard(), ["headers 1 :method: CONNECT, :authority: a.example:443, te: trailers"]);
  client.send(SERVER_HELLO, headers(1, [...OK, ["content-length", "0"]], "open"), data(1, "bytes"));
  assert.deepEqual(answer.response?.body, { kind: "streamed" });
  assert.equal(answer.body.toString(), "bytes");
});
