import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { writeInPieces } from "./short-writes.ts";

const WINDOW_BYTES = 1 << 20;
const MESSAGES = [randomBytes(300_000), randomBytes(10), randomBytes(16_000), randomBytes(16_001)];

async function listening(): Promise<{ readonly server: Http2Server; readonly port: number }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

/** What a client with large windows gets, and the sizes of what the stream handed over by itself, not gathered. */
async function exchange(
  t: TestContext,
  server: Http2Server,
  port: number,
): Promise<{ readonly received: Buffer; readonly sizes: readonly number[]; readonly trailer: unknown }> {
  const sizes: number[] = [];
  server.once("stream", (stream: ServerHttp2Stream) => {
    const single = t.mock.method(stream, "_write");
    stream.on("finish", () => {
      sizes.push(...single.mock.calls.map((call) => (call.arguments[0] as Buffer).length));
    });
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ written: String(written) }));
    let written = 0;
    for (const message of MESSAGES) stream.write(message, () => written++);
    stream.end();
  });
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: WINDOW_BYTES } });
  await once(session, "connect");
  session.setLocalWindowSize(WINDOW_BYTES);
  const stream = session.request();
  const trailers = once(stream, "trailers");
  const received = Buffer.concat(await stream.toArray());
  const [{ written: trailer }] = (await trailers) as [{ written: string }];
  session.close();
  return { received, sizes, trailer };
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

test("streams of the port are written in pieces, in order, each message told once", async (t) => {
  const { server, port } = await listening();
  const stop = new AbortController();
  writeInPieces(port, stop.signal);
  const { received, sizes, trailer } = await exchange(t, server, port);
  assert.equal(sha256(received), sha256(Buffer.concat(MESSAGES)));
  assert.equal(Math.max(...sizes), 16_000);
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    received.length,
  );
  assert.equal(trailer, String(MESSAGES.length));
  stop.abort();
  server.close();
});

test("those of other ports, and after the end, are left alone", async (t) => {
  const { server, port } = await listening();
  const stop = new AbortController();
  writeInPieces(port + 1, stop.signal);
  assert.ok(Math.max(...(await exchange(t, server, port)).sizes) >= 300_000);
  stop.abort();
  writeInPieces(port, AbortSignal.abort());
  assert.ok(Math.max(...(await exchange(t, server, port)).sizes) >= 300_000);
  server.close();
});
