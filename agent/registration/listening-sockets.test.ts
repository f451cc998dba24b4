import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { covers, findHolder, parseSocketTable, readListeningSockets } from "./listening-sockets.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const line = (address: string, state: string): string =>
  `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0`;

test("listening sockets are read from the kernel's tables", () => {
  const text = [
    HEAD,
    line("0100007F:2378", "0A"),
    line("03071F7F:1F90", "0A"),
    line("0100007F:0016", "01"),
    line("00000000000000000000000000000000:1F90", "0A"),
    line("00000000000000000000000001000000:1F90", "0A"),
    line("0000000000000000FFFF00000100007F:1F90", "0A"),
    line("B80D0120000000000000000001000000:0050", "0A"),
    "",
  ].join("\n");
  assert.deepEqual(
    parseSocketTable(text).map(({ address, port }) => `${address} ${port}`),
    ["127.0.0.1 9080", "127.31.7.3 8080", ":: 8080", "::1 8080", "127.0.0.1 8080", "2001:db8::1 80"],
  );
});

test("rubbish has no sockets", () => {
  assert.deepEqual(parseSocketTable("\n\nx y z\n"), []);
});

test("a wildcard holds every address of its port", () => {
  const wanted = { address: "10.0.0.3", port: 80 };
  assert.ok(covers({ address: "10.0.0.3", port: 80 }, wanted));
  assert.ok(covers({ address: "0.0.0.0", port: 80 }, wanted));
  assert.ok(covers({ address: "::", port: 80 }, wanted));
  assert.ok(!covers({ address: "127.0.0.1", port: 80 }, wanted));
  assert.ok(!covers({ address: "0.0.0.0", port: 81 }, wanted));
});

test("a socket of this process is found, and so is its holder", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const socket = (await readListeningSockets()).find((socket) => socket.port === port);
  assert.equal(socket?.address, "127.0.0.1");
  assert.equal(findHolder(socket?.inode ?? "")?.pid, process.pid);
  assert.equal(findHolder("1"), undefined);
});
