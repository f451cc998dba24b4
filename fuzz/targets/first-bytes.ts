import assert from "node:assert/strict";
import { peekHttp } from "../../proxy/data-path/listener/peek-http.ts";
import { peekClientHello } from "../../proxy/data-path/tls/client-hello.ts";
import type { Target } from "../target.ts";

/** So much of a connection is looked at, at the most, before it is known what it is. */
const MOST_PEEKED = 65_536;

/** What a connection is does not change with the bytes that follow, and is known after some. */
export const clientHello: Target = {
  name: "client-hello",
  longest: 1024,
  words: [
    "\x16\x03\x01",
    "\x01\0",
    "\0\0",
    "\0\x10",
    "\x02h2",
    "\0\x0elateen.example",
    "GET / HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ],
  seeds: () => [
    hello([]),
    hello([extension(0, list(Buffer.concat([Buffer.from([0]), sized(2, "A.Example")])))]),
    hello([extension(16, list(Buffer.concat([sized(1, "h2"), sized(1, "istio-http/1.1")])))]),
    hello([
      extension(0, list(Buffer.concat([Buffer.from([0]), sized(2, "b")]))),
      extension(16, list(sized(1, "x"))),
      extension(51, "k"),
    ]),
    cutIntoRecords(hello([extension(16, list(sized(1, "h2")))]), 7),
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Buffer.from([0x16, 3, 1, 0, 1, 1, 0x17, 3, 3]),
  ],
  run(input) {
    let decided: unknown;
    let http: unknown;
    for (let length = 0; length <= input.length; length++) {
      const bytes = input.subarray(0, length);
      const peeked = peekClientHello(bytes);
      if (decided !== undefined) assert.deepEqual(peeked, decided, "the bytes that follow change what it is");
      else if (peeked.kind !== "incomplete") decided = peeked;
      const said = peekHttp(bytes);
      if (http !== undefined) assert.deepEqual(said, http, "the bytes that follow change what HTTP it is");
      else if (said !== "incomplete") http = said;
    }
    const long = Buffer.concat([input, Buffer.alloc(MOST_PEEKED)]);
    assert.notEqual(peekClientHello(long).kind, "incomplete", "it is never known whether this is TLS");
    assert.notEqual(peekHttp(long), "incomplete", "it is never known whether this is HTTP");
  },
};

function sized(width: 1 | 2 | 3, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string, "latin1");
  const length = Buffer.alloc(width);
  length.writeUIntBE(bytes.length, 0, width);
  return Buffer.concat([length, bytes]);
}

const list = (items: Buffer): Buffer => sized(2, items);

function extension(type: number, body: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, type]), sized(2, body)]);
}

function hello(extensions: readonly Buffer[]): Buffer {
  const body = Buffer.concat([
    Buffer.alloc(34, 3),
    sized(1, "session"),
    sized(2, "\x13\x01"),
    sized(1, "\0"),
    ...(extensions.length === 0 ? [] : [list(Buffer.concat(extensions))]),
  ]);
  return record(Buffer.concat([Buffer.from([1]), sized(3, body)]));
}

function record(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x16, 3, 1]), sized(2, payload)]);
}

function cutIntoRecords(whole: Buffer, size: number): Buffer {
  const payload = whole.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) records.push(record(payload.subarray(at, at + size)));
  return Buffer.concat(records);
}
