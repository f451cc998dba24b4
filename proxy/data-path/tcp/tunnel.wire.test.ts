import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { freePort, TestProxy } from "../../../test/harness/test-proxy.ts";
import { outboundTcp, staticCluster } from "../../../test/harness/xds-samples.ts";

// What a tunnel is for is shown by the table in test/wire, on both data planes; here is what can go wrong.

/** A connection through a tunnel that this server is asked for. */
async function through(
  serve: (socket: Socket) => void,
  method: "CONNECT" | "POST" = "CONNECT",
): Promise<string> {
  await using server = createServer((socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: at } = server.address() as { readonly port: number };
  await using proxy = await TestProxy.start();
  const port = await freePort();
  proxy.ads.set("cluster", "c", { ...staticCluster("c", [at]), connectTimeout: "0.2s" });
  const tunnelingConfig = { hostname: "db.example:5432", usePost: method === "POST" };
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundTcp(port, { cluster: "c", tunnelingConfig }));
  await proxy.ready();
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  socket.write("hello");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, "close");
  return text;
}

test("what a server says in one packet with the answer to CONNECT is the first that the caller hears", async () => {
  const heard = await through((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\nfirst,");
      socket.once("data", (chunk: Buffer) => socket.end(`then ${chunk.toString()}`));
    });
  });
  assert.equal(heard, "first,then hello");
});

for (const [what, method, answer] of [
  ["says nothing", "CONNECT", undefined],
  ["says no", "CONNECT", "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"],
  ["says no to a POST", "POST", "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"],
  ["speaks no HTTP", "CONNECT", "220 mail.example ESMTP\r\n\r\n"],
  ["closes the connection", "CONNECT", ""],
] as const) {
  test(`a proxy that ${what} when it is asked for a tunnel takes the caller's connection with it`, async () => {
    const heard = await through((socket) => {
      if (answer === undefined) socket.resume();
      else socket.once("data", () => (answer === "" ? socket.destroy() : socket.write(answer)));
    }, method);
    assert.equal(heard, "");
  });
}
