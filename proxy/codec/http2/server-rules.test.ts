import assert from "node:assert/strict";
import { test } from "node:test";
import { Flag, FrameType } from "./frame.ts";
import {
  block,
  data,
  type Fields,
  frame,
  GET,
  goaway,
  HELLO,
  headers,
  POST,
  PREFACE,
  rstStream,
  SETTINGS_ACK,
  settings,
  uint32,
  windowUpdate,
} from "./testing/frames.ts";
import { TestServer } from "./testing/server.ts";

interface Case {
  readonly name: string;
  readonly frames: readonly Uint8Array[];
  /** What the server says beside its acknowledgement of SETTINGS. */
  readonly want: readonly string[];
  readonly requests?: number;
  readonly options?: ConstructorParameters<typeof TestServer>[0];
}

function run({ name, frames, want, requests = 0, options }: Case): void {
  test(name, () => {
    const server = new TestServer(options);
    server.send(...frames);
    assert.deepEqual(
      server.heard().filter((text) => text !== "settings ack"),
      want,
    );
    assert.equal(server.requests.length, requests);
    const over = want.some((text) => text.startsWith("goaway"));
    assert.equal(server.wire.ended, over, "a connection error ends the connection, nothing else does");
  });
}

const { headers: HEADERS, continuation: CONTINUATION, priority: PRIORITY } = FrameType;
const open = headers(1, POST, "open");
const fragment = (flags: number, id: number, fields: Fields): Buffer =>
  frame(HEADERS, flags, id, block(fields));
const more = (flags: number, id: number, payload: Uint8Array | string): Buffer =>
  frame(CONTINUATION, flags, id, payload);
const extra = (...fields: Fields): Buffer => headers(1, [...GET, ...fields]);
const without = (name: string): Fields => GET.filter(([other]) => other !== name);

const connection: readonly Case[] = [
  {
    name: "§3.4 another protocol than HTTP/2",
    frames: [Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n")],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§3.4 a preface in pieces",
    frames: [PREFACE.subarray(0, 10), PREFACE.subarray(10), settings()],
    want: [],
  },
  {
    name: "§3.4 a first frame other than SETTINGS",
    frames: [PREFACE, headers(1, GET)],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§3.4 an acknowledgement is no SETTINGS to begin with",
    frames: [PREFACE, SETTINGS_ACK],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§4.1 a frame of unknown type is passed over",
    frames: [HELLO, frame(0xee, 0xff, 7, "abc"), headers(1, GET)],
    want: [],
    requests: 1,
  },
  {
    name: "§4.1 undefined flags and the reserved bit are passed over",
    frames: [HELLO, frame(FrameType.ping, 0xfe, 0x8000_0000, "12345678")],
    want: ["ping ack 12345678"],
  },
  {
    name: "§4.2 a DATA frame of the largest size",
    frames: [HELLO, open, data(1, Buffer.alloc(16_384))],
    want: [],
    requests: 1,
  },
  {
    name: "§4.2 a frame over the largest size",
    frames: [HELLO, open, data(1, Buffer.alloc(16_385))],
    want: ["goaway 1 frameSizeError"],
    requests: 1,
  },
  {
    name: "§4.3 a block that cannot be decoded",
    frames: [HELLO, frame(HEADERS, 5, 1, Buffer.from([0x80]))],
    want: ["goaway 1 compressionError"],
  },
  {
    name: "§4.3.1 the end of the table, once agreed to, is said at the beginning of the next block",
    frames: [HELLO, SETTINGS_ACK, frame(HEADERS, 5, 1, Buffer.concat([Buffer.from([0x20]), block(GET)]))],
    want: [],
    requests: 1,
  },
  {
    name: "§4.3.1 the end of the table, once agreed to, is not said",
    frames: [HELLO, SETTINGS_ACK, headers(1, GET)],
    want: ["goaway 1 compressionError"],
  },
  {
    name: "§4.3 a frame between the frames of a block",
    frames: [HELLO, fragment(1, 1, GET), frame(PRIORITY, 0, 3, Buffer.alloc(5))],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§4.3 frames of another stream between the frames of a block",
    frames: [HELLO, fragment(1, 1, GET), headers(3, GET)],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§4.3 an unknown frame between the frames of a block",
    frames: [HELLO, fragment(1, 1, GET), frame(0xee, 0, 0)],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§5.1 DATA for a stream that nobody opened",
    frames: [HELLO, data(1, "x")],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§5.1 RST_STREAM for a stream that nobody opened",
    frames: [HELLO, rstStream(1, 8)],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§5.1 WINDOW_UPDATE for a stream that nobody opened",
    frames: [HELLO, windowUpdate(1, 1)],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§5.1 CONTINUATION for a stream that nobody opened",
    frames: [HELLO, more(4, 1, "")],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§5.1 PRIORITY for a stream that nobody opened is passed over",
    frames: [HELLO, frame(PRIORITY, 0, 9, Buffer.alloc(5)), headers(1, GET)],
    want: [],
    requests: 1,
  },
  {
    name: "§5.1 DATA after the client's end",
    frames: [HELLO, headers(1, GET), data(1, "x")],
    want: ["reset 1 streamClosed"],
    requests: 1,
  },
  {
    name: "§5.1 HEADERS after the client's end",
    frames: [HELLO, headers(1, GET), headers(1, GET)],
    want: ["reset 1 streamClosed"],
    requests: 1,
  },
  {
    name: "§5.1 CONTINUATION after the client's end",
    frames: [HELLO, headers(1, GET), more(4, 1, "")],
    want: ["goaway 1 protocolError"],
    requests: 1,
  },
  {
    name: "§5.1 WINDOW_UPDATE, PRIORITY and RST_STREAM after the client's end are fine",
    frames: [
      HELLO,
      headers(1, GET),
      windowUpdate(1, 5),
      frame(PRIORITY, 0, 1, Buffer.alloc(5)),
      rstStream(1, 8),
    ],
    want: [],
    requests: 1,
  },
  {
    name: "§5.1 DATA after the client's RST_STREAM",
    frames: [HELLO, open, rstStream(1, 8), data(1, "x")],
    want: ["goaway 1 streamClosed"],
    requests: 1,
  },
  {
    name: "§5.1 HEADERS after the client's RST_STREAM",
    frames: [HELLO, open, rstStream(1, 8), headers(1, GET)],
    want: ["goaway 1 streamClosed"],
    requests: 1,
  },
  {
    name: "§5.1 WINDOW_UPDATE and RST_STREAM for a closed stream are passed over",
    frames: [HELLO, open, rstStream(1, 8), windowUpdate(1, 1), rstStream(1, 8)],
    want: [],
    requests: 1,
  },
  {
    name: "§5.1.1 a stream of the server's numbers",
    frames: [HELLO, headers(2, GET)],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§5.1.1 a stream number that goes back",
    frames: [HELLO, headers(5, GET), headers(3, GET)],
    want: ["goaway 5 protocolError"],
    requests: 1,
  },
  {
    name: "§5.1.2 more streams than allowed",
    frames: [HELLO, headers(1, GET), headers(3, GET), headers(5, GET)],
    want: ["reset 5 refusedStream"],
    requests: 2,
    options: { maxConcurrentStreams: 2 },
  },
  {
    name: "§5.3 a stream that depends on itself",
    frames: [
      HELLO,
      frame(HEADERS, Flag.priority | 5, 1, Buffer.concat([uint32(1), Buffer.from([1]), block(GET)])),
    ],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§5.3 PRIORITY that depends on itself",
    frames: [HELLO, frame(PRIORITY, 0, 1, Buffer.concat([uint32(1), Buffer.from([1])]))],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§5.3 priority in HEADERS is passed over",
    frames: [
      HELLO,
      frame(
        HEADERS,
        Flag.priority | 5,
        1,
        Buffer.concat([uint32(0x8000_0000), Buffer.from([255]), block(GET)]),
      ),
    ],
    want: [],
    requests: 1,
  },
  {
    name: "§5.5 an unknown setting and an unknown error code are passed over",
    frames: [HELLO, settings([0x99, 1]), open, rstStream(1, 0x99)],
    want: [],
    requests: 1,
  },
];

const frameRules: readonly Case[] = [
  { name: "§6.1 DATA on stream 0", frames: [HELLO, data(0, "x")], want: ["goaway 0 protocolError"] },
  {
    name: "§6.1 DATA whose padding is its whole payload is too long by a byte",
    frames: [HELLO, open, frame(FrameType.data, Flag.padded, 1, Buffer.from([2, 0]))],
    want: ["goaway 1 protocolError"],
    requests: 1,
  },
  {
    name: "§6.1 DATA that is padding and nothing else",
    frames: [HELLO, open, frame(FrameType.data, Flag.padded | 1, 1, Buffer.from([1, 0]))],
    want: [],
    requests: 1,
  },
  {
    name: "§6.1 padded DATA without a byte",
    frames: [HELLO, open, frame(FrameType.data, Flag.padded, 1)],
    want: ["goaway 1 protocolError"],
    requests: 1,
  },
  { name: "§6.2 HEADERS on stream 0", frames: [HELLO, headers(0, GET)], want: ["goaway 0 protocolError"] },
  {
    name: "§6.2 HEADERS with padding",
    frames: [
      HELLO,
      frame(HEADERS, Flag.padded | 5, 1, Buffer.concat([Buffer.from([3]), block(GET), Buffer.alloc(3)])),
    ],
    want: [],
    requests: 1,
  },
  {
    name: "§6.2 HEADERS with more padding than payload",
    frames: [HELLO, frame(HEADERS, Flag.padded | 5, 1, Buffer.from([9, 0]))],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.2 HEADERS too short for its priority",
    frames: [HELLO, frame(HEADERS, Flag.priority | 5, 1, Buffer.alloc(4))],
    want: ["goaway 0 frameSizeError"],
  },
  {
    name: "§6.3 PRIORITY on stream 0",
    frames: [HELLO, frame(PRIORITY, 0, 0, Buffer.alloc(5))],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.3 PRIORITY of wrong size",
    frames: [HELLO, frame(PRIORITY, 0, 1, Buffer.alloc(4))],
    want: ["goaway 0 frameSizeError"],
  },
  { name: "§6.4 RST_STREAM on stream 0", frames: [HELLO, rstStream(0, 8)], want: ["goaway 0 protocolError"] },
  {
    name: "§6.4 RST_STREAM of wrong size",
    frames: [HELLO, open, frame(FrameType.rstStream, 0, 1, Buffer.alloc(3))],
    want: ["goaway 1 frameSizeError"],
    requests: 1,
  },
  {
    name: "§6.5 an acknowledgement with a payload",
    frames: [HELLO, frame(FrameType.settings, 1, 0, Buffer.alloc(6))],
    want: ["goaway 0 frameSizeError"],
  },
  {
    name: "§6.5 SETTINGS on a stream",
    frames: [HELLO, frame(FrameType.settings, 0, 1)],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.5 SETTINGS of odd size",
    frames: [HELLO, frame(FrameType.settings, 0, 0, Buffer.alloc(5))],
    want: ["goaway 0 frameSizeError"],
  },
  {
    name: "§6.5.2 ENABLE_PUSH other than 0 and 1",
    frames: [HELLO, settings([2, 2])],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.5.2 INITIAL_WINDOW_SIZE over the largest window",
    frames: [HELLO, settings([4, 0x8000_0000])],
    want: ["goaway 0 flowControlError"],
  },
  {
    name: "§6.5.2 MAX_FRAME_SIZE under the least",
    frames: [HELLO, settings([5, 16_383])],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.5.2 MAX_FRAME_SIZE over the most",
    frames: [HELLO, settings([5, 0x100_0000])],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.5.2 every setting at its bounds",
    frames: [
      HELLO,
      settings(
        [1, 0],
        [1, 0xffff_ffff],
        [2, 0],
        [2, 1],
        [3, 0],
        [4, 0],
        [4, 0x7fff_ffff],
        [5, 0xff_ffff],
        [6, 0],
      ),
    ],
    want: [],
  },
  {
    name: "RFC 8441 §3 ENABLE_CONNECT_PROTOCOL other than 0 and 1",
    frames: [HELLO, settings([8, 2])],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.6 PUSH_PROMISE from a client",
    frames: [HELLO, open, frame(FrameType.pushPromise, 4, 1, Buffer.alloc(4))],
    want: ["goaway 1 protocolError"],
    requests: 1,
  },
  {
    name: "§6.7 PING is answered with the same bytes",
    frames: [HELLO, frame(FrameType.ping, 0, 0, "\x00\x01\xff12345")],
    want: ["ping ack \x00\x01\xff12345"],
  },
  {
    name: "§6.7 an answer to PING is not answered",
    frames: [HELLO, frame(FrameType.ping, 1, 0, "12345678")],
    want: [],
  },
  {
    name: "§6.7 PING on a stream",
    frames: [HELLO, frame(FrameType.ping, 0, 1, "12345678")],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.7 PING of wrong size",
    frames: [HELLO, frame(FrameType.ping, 0, 0, "1234567")],
    want: ["goaway 0 frameSizeError"],
  },
  {
    name: "§6.8 GOAWAY on a stream",
    frames: [HELLO, frame(FrameType.goaway, 0, 1, Buffer.alloc(8))],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.8 GOAWAY that is too short",
    frames: [HELLO, frame(FrameType.goaway, 0, 0, Buffer.alloc(7))],
    want: ["goaway 0 frameSizeError"],
  },
  {
    name: "§6.9 WINDOW_UPDATE of 0 on the connection",
    frames: [HELLO, windowUpdate(0, 0)],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.9 WINDOW_UPDATE of 0 on a stream",
    frames: [HELLO, open, windowUpdate(1, 0)],
    want: ["reset 1 protocolError"],
    requests: 1,
  },
  {
    name: "§6.9 WINDOW_UPDATE of wrong size",
    frames: [HELLO, frame(FrameType.windowUpdate, 0, 0, Buffer.alloc(3))],
    want: ["goaway 0 frameSizeError"],
  },
  {
    name: "§6.9.1 a window of the connection over the largest",
    frames: [HELLO, windowUpdate(0, 0x7fff_ffff)],
    want: ["goaway 0 flowControlError"],
  },
  {
    name: "§6.9.1 a window of a stream over the largest",
    frames: [HELLO, open, windowUpdate(1, 0x7fff_ffff)],
    want: ["reset 1 flowControlError"],
    requests: 1,
  },
  {
    name: "§6.9.2 new initial windows that make a window too large",
    frames: [HELLO, open, windowUpdate(1, 0x7fff_ffff - 65_535), settings([4, 65_536])],
    want: ["goaway 1 flowControlError"],
    requests: 1,
  },
  {
    name: "§6.10 a block in many frames",
    frames: [
      HELLO,
      fragment(1, 1, GET.slice(0, 2)),
      more(0, 1, block(GET.slice(2, 3))),
      more(4, 1, block(GET.slice(3))),
    ],
    want: [],
    requests: 1,
  },
  {
    name: "§6.10 CONTINUATION after the end of a block",
    frames: [HELLO, open, more(4, 1, "")],
    want: ["goaway 1 protocolError"],
    requests: 1,
  },
  {
    name: "§6.10 CONTINUATION on stream 0",
    frames: [HELLO, fragment(1, 1, GET), more(4, 0, "")],
    want: ["goaway 0 protocolError"],
  },
  {
    name: "§6.10 CONTINUATION of another stream",
    frames: [HELLO, fragment(1, 1, GET), more(4, 3, "")],
    want: ["goaway 0 protocolError"],
  },
];

const malformed = (name: string, request: Uint8Array, ...rest: readonly Uint8Array[]): Case => ({
  name,
  frames: [HELLO, request, ...rest],
  want: ["reset 1 protocolError"],
});

const messages: readonly Case[] = [
  malformed("§8.2.1 a field name in upper case", extra(["X-A", "b"])),
  malformed("§8.2.1 an empty field name", extra(["", "b"])),
  malformed("§8.2.1 a blank in a field name", extra(["a b", "c"])),
  malformed("§8.2.1 a colon in a field name", extra(["a:b", "c"])),
  malformed("§8.2.1 a byte beyond ASCII in a field name", extra(["a\xe4", "c"])),
  malformed("§8.2.1 a line feed in a value", extra(["a", "b\nc: d"])),
  malformed("§8.2.1 a carriage return in a value", extra(["a", "b\rc"])),
  malformed("§8.2.1 a NUL in a value", extra(["a", "b\0"])),
  malformed("§8.2.1 a blank before a value", extra(["a", " b"])),
  malformed("§8.2.1 a tab after a value", extra(["a", "b\t"])),
  ...["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"].map((name) =>
    malformed(`§8.2.2 ${name}`, extra([name, "close"])),
  ),
  malformed("§8.2.2 TE other than trailers", extra(["te", "trailers, deflate"])),
  malformed("§8.3 an unknown pseudo-header", extra([":test", "ok"])),
  malformed("§8.3 a pseudo-header of responses", extra([":status", "200"])),
  malformed("§8.3 a pseudo-header after fields", headers(1, [["a", "b"], ...GET])),
  ...GET.map(([name, value]) => malformed(`§8.3 ${name} twice`, headers(1, [...GET, [name, value]]))),
  ...[":method", ":scheme", ":path"].map((name) => malformed(`§8.3.1 no ${name}`, headers(1, without(name)))),
  malformed("§8.3.1 a scheme that is not HTTP's", headers(1, [...without(":scheme"), [":scheme", "ftp"]])),
  malformed("§8.3.1 an empty :path", headers(1, [...without(":path"), [":path", ""]])),
  malformed(
    "§8.3.1 a :path that does not begin with a slash",
    headers(1, [...without(":path"), [":path", "a"]]),
  ),
  malformed("§8.3.1 a :path of * without OPTIONS", headers(1, [...without(":path"), [":path", "*"]])),
  malformed("§8.3.1 a blank in :path", headers(1, [...without(":path"), [":path", "/a b"]])),
  malformed("§8.3.1 a :method that is none", headers(1, [...without(":method"), [":method", "G T"]])),
  malformed("§8.3.1 a Host that is not :authority", extra(["host", "b.example"])),
  malformed("§8.3.1 two Hosts", extra(["host", "a.example"], ["host", "a.example"])),
  malformed("§8.1.1 a content-length without a body", extra(["content-length", "1"])),
  malformed("§8.1.1 a content-length that is no number", extra(["content-length", "+1"])),
  malformed("§8.1.1 two content-lengths", extra(["content-length", "0"], ["content-length", "0"])),
  malformed("§8.5 CONNECT with :path", headers(1, [[":method", "CONNECT"], ...GET.slice(1)], "open")),
  malformed("§8.5 CONNECT without :authority", headers(1, [[":method", "CONNECT"]], "open")),
  malformed("RFC 8441 §4 :protocol without CONNECT", headers(1, [...GET, [":protocol", "websocket"]])),
  malformed(
    "RFC 8441 §4 :protocol without :path",
    headers(
      1,
      [
        [":method", "CONNECT"],
        [":protocol", "websocket"],
        [":authority", "a"],
      ],
      "open",
    ),
  ),
  {
    ...malformed(
      "§8.1.1 less DATA than content-length",
      headers(1, [...POST, ["content-length", "3"]], "open"),
      data(1, "ab", "end"),
    ),
    requests: 1,
  },
  {
    ...malformed(
      "§8.1.1 more DATA than content-length",
      headers(1, [...POST, ["content-length", "3"]], "open"),
      data(1, "ab"),
      data(1, "cd", "end"),
    ),
    requests: 1,
  },
  {
    ...malformed(
      "§8.1.1 trailers before the end of the announced body",
      headers(1, [...POST, ["content-length", "3"]], "open"),
      headers(1, [["a", "b"]]),
    ),
    requests: 1,
  },
  {
    ...malformed("§8.1 trailers that do not end the stream", open, headers(1, [["a", "b"]], "open")),
    requests: 1,
  },
  { ...malformed("§8.1 a pseudo-header in trailers", open, headers(1, [[":path", "/"]])), requests: 1 },
  {
    ...malformed("§8.2.2 a field of the connection in trailers", open, headers(1, [["connection", "close"]])),
    requests: 1,
  },
  {
    name: "an :authority of wrong form is answered",
    frames: [HELLO, headers(1, [...without(":authority"), [":authority", "u@a"]])],
    want: ["headers 1 :status: 400 end"],
  },
  {
    name: "a request for nobody is answered",
    frames: [HELLO, headers(1, without(":authority"))],
    want: ["headers 1 :status: 400 end"],
  },
  {
    name: "a head that is too large is answered",
    frames: [HELLO, extra(["a", "x".repeat(10_000)])],
    want: ["headers 1 :status: 431 end"],
    options: { maxHeaderBytes: 16_000, maxHeaderCount: 4 },
  },
  {
    name: "an answer to a head that is too large asks for no body",
    frames: [HELLO, headers(1, [...POST, ["a", "b"]], "open"), data(1, "late")],
    want: ["headers 1 :status: 431 end", "reset 1 noError"],
    options: { maxHeaderCount: 4 },
  },
];

for (const one of [...connection, ...frameRules, ...messages]) {
  run(one);
}

test("§6.8 a client that leaves gets its answers, then the connection closes", () => {
  const server = new TestServer();
  server.send(HELLO, headers(1, GET), goaway(0, 0));
  assert.equal(server.wire.ended, false);
  server.requests[0]?.answer();
  assert.equal(server.wire.ended, true);
  assert.deepEqual(server.heard(), ["settings ack", "headers 1 :status: 200 end"]);
});
