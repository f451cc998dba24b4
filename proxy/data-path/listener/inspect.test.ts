import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { type Inspected, inspectConnection } from "./inspect.ts";

/** Far longer than a test: what settles earlier settled for another reason. */
const LONG_MS = 60_000;

let server: Server;
let port = 0;

before(async () => {
  server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const place = server.address();
  port = typeof place === "object" && place ? place.port : 0;
});

after(() => server.close());

/** What is seen of a client that does this, and the server's end of its connection. */
async function inspect(
  act: (client: Socket) => void,
  timeoutMs = LONG_MS,
  inspectHttp = false,
): Promise<{ readonly inspected: Inspected; readonly socket: Socket }> {
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect(port, "127.0.0.1", () => act(client));
  client.on("error", () => {});
  const socket = await accepted;
  socket.on("error", () => {});
  const inspected = await inspectConnection(socket, timeoutMs, { inspectTls: true, inspectHttp });
  socket.once("close", () => client.destroy());
  return { inspected, socket };
}

test("plain bytes are put back for who reads next", async () => {
  const { inspected, socket } = await inspect((client) => client.write("GET / HTTP/1.1\r\n\r\n"));
  assert.deepEqual(inspected, { kind: "plain", http: [] });
  const [first] = await new Promise<Buffer[]>((resolve) => socket.once("data", (chunk) => resolve([chunk])));
  assert.equal(first?.toString(), "GET / HTTP/1.1\r\n\r\n");
  socket.destroy();
});

for (const { name, bytes } of [
  { name: "without a byte", bytes: "" },
  { name: "in the middle of a ClientHello", bytes: "\x16\x03\x01" },
]) {
  test(`a client that ends ${name} is let go at once, not when the time is over`, async () => {
    const { inspected, socket } = await inspect((client) => client.end(bytes, "latin1"));
    assert.deepEqual(inspected, { kind: "closed" });
    socket.destroy();
  });
}

test("a client that says nothing is silent when the time is over", async () => {
  const { inspected, socket } = await inspect(() => {}, 5);
  assert.deepEqual(inspected, { kind: "silent" });
  socket.destroy();
});

for (const { chunks, http } of [
  { chunks: ["GET / HTTP/1.1\r\n"], http: ["http/1.1"] },
  { chunks: ["POST /x?y H", "TTP/1.0\n"], http: ["http/1.0"] },
  { chunks: ["PRI * HTTP/2.0\r\n\r", "\nSM\r\n\r\n"], http: ["h2c"] },
  { chunks: ["EHLO mail.example\r\n"], http: [] },
  { chunks: ["\x00\x00\x00\x08"], http: [] },
  { chunks: ["GET / HTTP/1.1 more\r\n"], http: [] },
]) {
  test(`${JSON.stringify(chunks.join(""))} is ${http.join() || "no HTTP"}`, async () => {
    const write = (client: Socket): void => {
      client.setNoDelay(true);
      for (const [index, chunk] of chunks.entries())
        setTimeout(() => client.write(chunk, "latin1"), index * 10);
    };
    const { inspected, socket } = await inspect(write, LONG_MS, true);
    assert.deepEqual(inspected, { kind: "plain", http });
    socket.destroy();
  });
}
