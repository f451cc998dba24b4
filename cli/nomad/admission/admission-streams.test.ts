import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "../../../test/harness/eventually.ts";
import { startBench } from "./testing/admission-bench.ts";

test("what registers no job goes through byte by byte, headers in order and spelling", async () => {
  await using bench = await startBench();
  const body = Buffer.from([0, 255, 10, 13, 123]);
  const paths = [
    "/v1/var/a/b?namespace=x",
    "/v1/jobs/parse",
    "/v1/job/web/scale",
    "/v1/client/fs/x",
    "/v1//jobs",
  ];
  for (const path of paths) {
    await bench.ask(path, { method: "PUT", body, headers: { "x-ODD-Case": "1", "X-Nomad-Token": "t" } });
  }
  assert.deepEqual(
    bench.nomad.seen.map(({ url }) => url),
    paths,
  );
  for (const seen of bench.nomad.seen) {
    assert.equal(seen.body, body.toString("utf8"));
    const at = seen.rawHeaders.indexOf("x-ODD-Case");
    assert.equal(seen.rawHeaders[at + 1], "1");
    assert.equal(seen.rawHeaders[seen.rawHeaders.indexOf("Host") + 1], `127.0.0.1:${bench.port}`);
  }
});

for (const named of ["content-length", "close, Content-Length", "Transfer-Encoding", "host"]) {
  test(`a request whose Connection names “${named}” does not smuggle a second one in its body`, async () => {
    await using bench = await startBench();
    const inner = "PUT /v1/jobs HTTP/1.1\r\nHost: nomad\r\nContent-Length: 2\r\n\r\n{}";
    const framing = /transfer/i.test(named)
      ? ["Transfer-Encoding: chunked", "", `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`]
      : [`Content-Length: ${inner.length}`, "", inner];
    const head = ["DELETE /v1/var/a HTTP/1.1", "Host: nomad", `Connection: ${named}`];
    const socket = createConnection(bench.port, "127.0.0.1");
    socket.write([...head, ...framing].join("\r\n"));
    let answer = "";
    for await (const chunk of socket) answer += (chunk as Buffer).toString();
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /Connection names a header/);
    assert.deepEqual(bench.nomad.seen, []);
  });
}

test("an answer comes back as Nomad gave it", async () => {
  await using bench = await startBench();
  bench.nomad.answers.set("/v1/agent/self", (_, response) => {
    response.writeHead(418, "Odd", ["x-nOMAD-index", "7", "Set-Cookie", "a=1", "Set-Cookie", "b=2"]);
    response.end("odd");
  });
  const { status, rawHeaders, text } = await bench.ask("/v1/agent/self");
  assert.equal(status, 418);
  assert.equal(text, "odd");
  assert.deepEqual(rawHeaders.slice(0, 6), ["x-nOMAD-index", "7", "Set-Cookie", "a=1", "Set-Cookie", "b=2"]);
});

test("events come one by one while the stream is open, and Nomad hears when the reader leaves", async () => {
  await using bench = await startBench();
  const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
  let push: (text: string) => void = () => {};
  bench.nomad.answers.set("/v1/event/stream", (_, response, message) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.flushHeaders();
    push = (text) => void response.write(text);
    message.socket.once("close", leave);
  });
  const stream = await bench.open("/v1/event/stream?topic=Service");
  assert.equal(stream.headers["content-type"], "application/json");
  for (const event of ['{"Index":1}\n', "{}\n", '{"Index":2}\n']) {
    push(event);
    const [chunk] = (await once(stream, "data")) as [Buffer];
    assert.equal(chunk.toString(), event);
  }
  stream.destroy();
  await gone;
});

test("a stream that Nomad breaks off is broken off, not ended", async () => {
  await using bench = await startBench();
  bench.nomad.answers.set("/v1/client/fs/logs/a", (_, response) => {
    response.write("one");
    setImmediate(() => response.destroy());
  });
  const stream = await bench.open("/v1/client/fs/logs/a?follow=true");
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, /aborted/);
});

test("a reader that is slow slows Nomad down; nothing piles up in between", async () => {
  await using bench = await startBench();
  let written = 0;
  let full = false;
  bench.nomad.answers.set("/v1/client/fs/cat/a", (_, response) => {
    const chunk = Buffer.alloc(1 << 16);
    const write = (): void => {
      while (written < 1 << 28 && response.write(chunk)) written += chunk.length;
      full = true;
    };
    response.on("drain", write);
    write();
  });
  const stream = await bench.open("/v1/client/fs/cat/a");
  stream.pause();
  let last = -1;
  await eventually("Nomad writes no more", () => {
    const still = full && written === last;
    last = written;
    return still;
  });
  assert.ok(written < 1 << 26, `${written} bytes are under way`);
  stream.destroy();
});

test("an upload that breaks off does not come to Nomad as if it were whole", async () => {
  await using bench = await startBench();
  const socket = createConnection(bench.port, "127.0.0.1");
  socket.write(
    "PUT /v1/operator/snapshot HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  );
  await eventually("the upload is under way", () => bench.nomad.connections > 0);
  socket.destroy();
  await eventually("Nomad's side is broken off too", () => bench.nomad.connections === 0);
  assert.deepEqual(bench.nomad.seen, []);
});

test("an upload that is not a job's is a stream too", async () => {
  await using bench = await startBench();
  const { promise: began, resolve: begin } = Promise.withResolvers<void>();
  bench.nomad.answers.set("/v1/operator/snapshot", ({ body }, response) => response.end(String(body.length)));
  const socket = createConnection(bench.port, "127.0.0.1");
  socket.write(
    "PUT /v1/operator/snapshot HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  );
  socket.once("data", () => begin());
  socket.write("2\r\nde\r\n0\r\n\r\n");
  await began;
  assert.equal(bench.nomad.only("PUT").body, "abcde");
  socket.destroy();
});

/** A client that asks for a shell, and all that it has heard so far. */
function exec(port: number): {
  readonly socket: Socket;
  readonly heard: (wanted: string) => Promise<string>;
} {
  const socket = createConnection(port, "127.0.0.1");
  let text = "";
  socket.on("data", (bytes) => {
    text += String(bytes);
  });
  socket.write(
    "GET /v1/client/allocation/a/exec?task=web HTTP/1.1\r\nHost: nomad.example\r\nOrigin: http://nomad.example\r\n" +
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\nearly",
  );
  return {
    socket,
    heard: (wanted) => eventually(`the client hears ${wanted}`, () => text.includes(wanted) && text),
  };
}

test("a shell in an allocation goes both ways, from its first byte to its end", async () => {
  await using bench = await startBench();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  bench.nomad.upgrade = (socket, head) => {
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Odd: 1\r\n\r\nwelcome",
    );
    if (head.length > 0) socket.write(head);
    socket.on("data", (bytes) => socket.write(`<${String(bytes)}>`));
    socket.once("end", () => socket.end());
    socket.once("close", end);
    socket.on("error", () => {});
  };
  const { socket, heard } = exec(bench.port);
  const head = await heard("early");
  assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assert.match(head, /X-Odd: 1\r\n/);
  socket.write("ls");
  await heard("<ls>");
  const [seen] = bench.nomad.seen;
  assert.equal(seen?.rawHeaders[seen.rawHeaders.indexOf("Host") + 1], "nomad.example");
  socket.destroy();
  await ended;
});

test("a shell that Nomad refuses is refused in Nomad's words", async () => {
  await using bench = await startBench();
  const { socket, heard } = exec(bench.port);
  const answer = await heard("Permission denied");
  assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n/);
  socket.destroy();
});

test("without Nomad the answer is a 502 that says where it was looked for", async () => {
  await using bench = await startBench();
  await bench.nomad[Symbol.asyncDispose]();
  const requests = [
    ["/v1/nodes", "GET", ""],
    ["/v1/var/a", "PUT", "x".repeat(1 << 20)],
    ["/v1/jobs", "PUT", JSON.stringify({ Job: { ID: "a" } })],
  ] as const;
  for (const [path, method, body] of requests) {
    const { status, text } = await bench.ask(path, { method, body });
    assert.equal(status, 502, path);
    assert.match(text, /Nomad at http:\/\/127\.0\.0\.1:\d+ gave no answer/);
  }
});

test("told to end, it lets an answer end that is under way, and takes no new one", async () => {
  await using bench = await startBench();
  let finish = (): void => {};
  bench.nomad.answers.set("/v1/nodes", (_, response) => {
    response.write("[");
    finish = () => void response.end("]");
  });
  const stream = await bench.open("/v1/nodes");
  const drained = bench.server.drain(60_000);
  await assert.rejects(bench.ask("/v1/nodes"), /ECONNREFUSED/);
  finish();
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  assert.equal(text, "[]");
  await drained;
});
