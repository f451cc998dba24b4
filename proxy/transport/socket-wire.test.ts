import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import { eventually } from "../../test/harness/eventually.ts";
import { mintRoot, mintSvid } from "../../test/harness/test-certificates.ts";
import { type Reading, readEvents, readStatic, readTapped } from "./reading.ts";
import { SocketWire } from "./socket-wire.ts";
import { StaticReader } from "./static-reader.ts";
import { FULL_BYTES, type Input } from "./wire.ts";

class Heard implements Input {
  readonly chunks: Buffer[] = [];
  ends = 0;
  drains = 0;
  reason: string | undefined;

  bytes(chunk: Buffer): void {
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

type Kind = "events" | "static" | "tapped" | "accepted" | "tls";

const cut = (socket: Socket): void => void socket.destroy();

async function ends(kind: Kind): Promise<Ends> {
  const root = mintRoot();
  const { pem, keyPem } = mintSvid(root, "spiffe://cluster.local/ns/a/sa/b", {});
  const server: Server =
    kind === "tls"
      ? createTlsServer({ cert: pem, key: keyPem, allowHalfOpen: true })
      : createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const place = server.address();
  const port = typeof place === "object" && place ? place.port : 0;
  const accepted = once(server, kind === "tls" ? "secureConnection" : "connection");
  const reader = new StaticReader();
  const socket =
    kind === "tls"
      ? tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false })
      : connect({
          port,
          host: "127.0.0.1",
          allowHalfOpen: true,
          ...(kind === "static" && { onread: reader.options }),
        });
  const [other] = (await accepted) as [Socket];
  if (socket.connecting) await once(socket, "connect");
  for (const one of [socket, other]) one.on("error", () => {});
  const own = kind === "accepted" ? other : socket;
  const reading: Record<Kind, () => Reading> = {
    events: () => readEvents(own),
    static: () => readStatic(own, reader),
    tapped: () => readTapped(own),
    accepted: () => readTapped(own),
    tls: () => readTapped(own),
  };
  const wire = new SocketWire(own, cut, reading[kind]());
  const heard = new Heard();
  wire.listen(heard);
  return {
    wire,
    heard,
    other: kind === "accepted" ? socket : other,
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      other.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

for (const kind of ["events", "static", "tapped", "accepted", "tls"] as const) {
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

  test(`${kind}: after it is cut nothing is written, and its end is told`, async () => {
    await using pair = await ends(kind);
    pair.wire.output.latin1("never sent");
    pair.wire.output.destroy();
    pair.wire.output.latin1("nor this");
    await eventually("it is closed", () => pair.heard.reason !== undefined);
    assert.equal(pair.wire.output.pending, 0);
  });
}
