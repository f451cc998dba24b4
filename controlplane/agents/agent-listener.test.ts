import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { AgentListener } from "./agent-listener.ts";

const LOOPBACK = { address: "127.0.0.1", port: 0 };

async function connected({ port }: AgentListener): Promise<Socket> {
  const socket = connect(port, LOOPBACK.address);
  await once(socket, "connect");
  return socket;
}

test("a connection is handed on with its first bytes, not before", async () => {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const listener = await AgentListener.open(LOOPBACK, resolve);
  const silent = await connected(listener);
  const socket = await connected(listener);
  socket.write("hello");
  const taken = await promise;
  assert.equal(taken.remotePort, socket.localPort);
  assert.equal(String(taken.read()), "hello");
  socket.end("more");
  assert.equal(String((await once(taken, "data"))[0]), "more");
  silent.destroy();
  taken.destroy();
  await listener.close();
});

test("to close ends at once those that have said nothing, and waits for the others", async () => {
  const taken = Promise.withResolvers<Socket>();
  const listener = await AgentListener.open(LOOPBACK, taken.resolve);
  const silent = await connected(listener);
  const socket = await connected(listener);
  socket.write("hello");
  await taken.promise;
  let isClosed = false;
  const close = async (): Promise<void> => {
    await listener.close();
    isClosed = true;
  };
  const closed = close();
  await once(silent, "close");
  assert.equal(isClosed, false);
  assert.equal(socket.closed, false);
  listener.cut();
  await closed;
  await assert.rejects(connected(listener), { code: "ECONNREFUSED" });
});

test("an address that is taken is a mistake of the configuration", async () => {
  const listener = await AgentListener.open(LOOPBACK, () => undefined);
  const { port } = listener;
  await assert.rejects(
    AgentListener.open({ ...LOOPBACK, port }, () => undefined),
    {
      code: "config.invalid",
      hint: "is another server running there? set agents.address and agents.port",
    },
  );
  await listener.close();
});
