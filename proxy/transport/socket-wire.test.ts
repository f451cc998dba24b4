import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { TLSSocket, connect as tlsConnect } from "node:tls";
import { eventually } from "../../test/harness/eventually.ts";
import { mintRoot, mintSvid } from "../../test/harness/test-certificates.ts";
import { readingOf, readTapped } from "./reading.ts";
import { SocketWire } from "./socket-wire.ts";
import { FULL_BYTES, type Input } from "./wire.ts";

class Heard implements Input {
  readonly chunks: Buffer[] = [];
  ends = 0;
  drains = 0;
  reason: string | undefined;

  look: (chunk: Buffer) => void = () => {};

  bytes(chunk: Buffer): void {
    this.look(chunk);
    this.chunks.push(Buffer.from(chunk));
  }

  ended(): void {
    this.ends++;
  }

  drained(): void {
    this.drains++;
  }

  closed(reason: string): void {
    assert.equal(this.reason, undefined, "closed is told once");
    this.reason = reason;
  }

  get length(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }
}

interface Ends extends AsyncDisposable {
  readonly wire: SocketWire;
  readonly heard: Heard;
  readonly other: Socket;
}

const KINDS = [
  "connected",
  "accepted",
  "tls",
  "connected, tapped",
  "accepted, tapped",
  "tls, tapped",
] as const;
type Kind = (typeof KINDS)[number];

const cut = (socket: Socket): void => void socket.destroy();

/** TLS is put on both sockets as the proxy does it: on one that is there already. */
async function ends(
  kind: Kind,
  before: (own: Socket, other: Socket) => Promise<void> = async () => {},
  cutOff: (socket: Socket) => void = cut,
): Promise<Ends> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const place = server.address();
  const port = typeof place === "object" && place ? place.port : 0;
  const accepted = once(server, "connection");
  const plain = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [taken] = (await accepted) as [Socket];
  if (plain.connecting) await once(plain, "connect");
  const [socket, other] = kind.startsWith("tls") ? await secured(plain, taken) : [plain, taken];
  for (const one of [plain, taken, socket, other]) one.on("error", () => {});
  const own = kind.startsWith("accepted") ? other : socket;
  await before(own, own === socket ? other : socket);
  const wire = new SocketWire(own, cutOff, kind.endsWith("tapped") ? readTapped(own) : readingOf(own));
  const heard = new Heard();
  wire.listen(heard);
  return {
    wire,
    heard,
    other: own === socket ? other : socket,
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      other.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function secured(plain: Socket, taken: Socket): Promise<readonly [Socket, Socket]> {
  const { pem, keyPem } = mintSvid(mintRoot(), "spiffe://cluster.local/ns/a/sa/b", {});
  const other = new TLSSocket(taken, { isServer: true, cert: pem, key: keyPem });
  const socket = tlsConnect({ socket: plain, rejectUnauthorized: false });
  for (const one of [socket, other]) one.allowHalfOpen = true;
  await once(socket, "secureConnect");
  return [socket, other];
}

test("what is read from all kinds of sockets is in the same memory", async () => {
  const memory = new Set<ArrayBufferLike>();
  for (const kind of ["connected", "accepted", "tls"] as const) {
    await using pair = await ends(kind);
    pair.heard.look = (chunk) => memory.add(chunk.buffer);
    pair.other.write("x".repeat(100));
    await eventually("it is heard", () => pair.heard.length === 100);
  }
  assert.equal(memory.size, 1, "this Node keeps `onread` elsewhere: proxy/transport/reading.ts");
});

for (const kind of KINDS) {
  test(`${kind}: what is written in one turn arrives in order, and large things too`, async () => {
    await using pair = await ends(kind);
    const received: Buffer[] = [];
    pair.other.on("data", (chunk: Buffer) => received.push(chunk));
    const { output } = pair.wire;
    output.latin1("a\xff");
    output.bytes(Buffer.from("bc"));
    output.reserve(2).write("de");
    const large = Buffer.alloc(3_000_000, "0123456789");
    output.bytes(large);
    output.latin1("x".repeat(200_000));
    output.end();
    await once(pair.other, "end");
    const all = Buffer.concat(received).toString("latin1");
    assert.equal(all.length, 6 + large.length + 200_000);
    assert.equal(all.slice(0, 16), "a\xffbcde0123456789");
    assert.ok(all.endsWith("9xxx") || all.endsWith("xxx"));
    assert.equal(all.slice(6, 6 + large.length), large.toString("latin1"));
  });

  test(`${kind}: what comes is heard, its end, and that the connection is gone`, async () => {
    await using pair = await ends(kind);
    pair.other.write("hello");
    await eventually("it is heard", () => pair.heard.length === 5);
    pair.other.end("bye");
    await eventually("the end is heard", () => pair.heard.ends === 1);
    assert.equal(Buffer.concat(pair.heard.chunks).toString(), "hellobye");
    pair.wire.output.end();
    await eventually("it is closed", () => pair.heard.reason !== undefined);
  });

  test(`${kind}: a wire that is paused holds its sender back, and loses nothing`, async () => {
    await using pair = await ends(kind);
    pair.wire.pause();
    const sent = 30_000_000;
    pair.other.write(Buffer.alloc(sent, "y"));
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.ok(pair.heard.length <= 65_536, `${pair.heard.length} bytes were heard`);
    pair.wire.resume();
    await eventually("all is heard", () => pair.heard.length === sent);
  });

  test(`${kind}: a reader that does not read fills the wire, and is told of when it does`, async () => {
    await using pair = await ends(kind);
    pair.other.pause();
    const { output } = pair.wire;
    let written = 0;
    while (output.pending < 4 * FULL_BYTES && written < 100_000_000) {
      output.bytes(Buffer.alloc(FULL_BYTES));
      written += FULL_BYTES;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(written < 100_000_000, "the wire never gets full");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = pair.heard.drains;
    let received = 0;
    pair.other.on("data", (chunk: Buffer) => (received += chunk.length));
    pair.other.resume();
    await eventually("it is told", () => pair.heard.drains > before);
    await eventually("all has come", () => received === written);
    assert.equal(output.pending, 0);
  });

  test(`${kind}: what came before somebody listens is heard first`, async () => {
    await using pair = await ends(kind, async (own, other) => {
      other.write("early ");
      own.read(0);
      await eventually("it has come", () => own.readableLength > 0);
    });
    pair.other.write("late");
    await eventually("all is heard", () => pair.heard.length === 10);
    assert.equal(Buffer.concat(pair.heard.chunks).toString(), "early late");
  });

  test(`${kind}: after it is cut nothing is written, and its end is told`, async () => {
    await using pair = await ends(kind);
    pair.wire.output.latin1("never sent");
    pair.wire.output.destroy();
    pair.wire.output.latin1("nor this");
    await eventually("it is closed", () => pair.heard.reason !== undefined);
    assert.equal(pair.wire.output.pending, 0);
  });

  test(`${kind}: of one that is cut, and takes its time to close, only the end is heard`, async () => {
    const { promise: closing, resolve: close } = Promise.withResolvers<void>();
    await using pair = await ends(
      kind,
      async () => {},
      (socket) => void closing.then(() => socket.destroy()),
    );
    pair.heard.look = () => pair.wire.output.destroy();
    pair.other.write("first");
    await eventually("it is heard", () => pair.heard.length === 5);
    const received: Buffer[] = [];
    pair.other.on("data", (chunk: Buffer) => received.push(chunk));
    pair.wire.output.latin1("nothing");
    pair.other.end("second");
    await new Promise((resolve) => setTimeout(resolve, 50));
    close();
    await eventually("it is closed", () => pair.heard.reason !== undefined);
    assert.deepEqual([pair.heard.length, pair.heard.ends, received.length], [5, 0, 0]);
  });
}
