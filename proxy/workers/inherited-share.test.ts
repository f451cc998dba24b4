import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { test } from "node:test";
import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";
import { InheritedShare } from "./inherited-share.ts";

async function listening(): Promise<{ readonly server: Server; readonly socket: ListeningSocket }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const place = server.address();
  assert.ok(typeof place === "object" && place);
  const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd: number } };
  return { server, socket: { address: place.address, port: place.port, fd: handle.fd } };
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

test("what is left of a worker's sockets are those that are open, and no others that have their numbers now", async () => {
  const [kept, gone] = [await listening(), await listening()];
  const share = new InheritedShare([kept.socket, gone.socket]);
  assert.deepEqual(share.left, [kept.socket, gone.socket]);
  await closed(gone.server);
  assert.deepEqual(share.left, [kept.socket]);
  const another = await listening();
  assert.equal(another.socket.fd, gone.socket.fd, "the kernel gives the lowest number that is free");
  assert.deepEqual(share.left, [kept.socket]);
  await Promise.all([closed(kept.server), closed(another.server)]);
});
