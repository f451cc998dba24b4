import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
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

test("connections are counted, in all and by address once half of the places are taken, and a place that is free is given again", async (t) => {
  const taken = new EventEmitter();
  const take = (socket: Socket): void => void taken.emit(String(socket.resume().remotePort));
  const listener = await AgentListener.open(LOOPBACK, take, { most: 8, mostOfAddress: 2 });
  t.after(() => listener.cut());
  const from = async (localAddress: string): Promise<Socket | undefined> => {
    const socket = connect({ port: listener.port, host: LOOPBACK.address, localAddress });
    const refused = once(socket, "close").then(() => undefined);
    await once(socket, "connect");
    const handedOn = once(taken, String(socket.localPort)).then(() => socket);
    socket.write("hello");
    return await Promise.race([refused, handedOn]);
  };
  const kept: Socket[] = [];
  for (const [address, isTaken] of [
    ...[1, 2, 3, 4].map(() => ["127.0.0.2", true] as const),
    ["127.0.0.2", false],
    ["127.0.0.3", true],
    ["127.0.0.3", true],
    ["127.0.0.3", false],
    ["127.0.0.4", true],
    ["127.0.0.4", true],
    ["127.0.0.5", false],
  ] as const) {
    const socket = await from(address);
    assert.equal(socket !== undefined, isTaken, `${address} beside ${kept.length}`);
    if (socket !== undefined) kept.push(socket);
  }
  const first = kept.pop();
  first?.destroy();
  const again = await eventually("a free place", async () => await from("127.0.0.5"));
  for (const socket of [...kept, again]) socket.destroy();
  listener.cut();
  await listener.close();
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
