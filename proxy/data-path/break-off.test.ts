import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from "node:tls";
import { mintRoot, mintSvid } from "../../test/harness/test-certificates.ts";
import { breakOff, carriedBy } from "./break-off.ts";

const { pem, keyPem } = mintSvid(mintRoot(), "spiffe://cluster.local/ns/a/sa/b", {});

const MOMENTS: readonly { readonly name: string; readonly cut: (socket: TLSSocket) => void }[] = [
  { name: "in the turn in which its handshake ends", cut: breakOff },
  { name: "when it has said something", cut: (socket) => void socket.once("data", () => breakOff(socket)) },
  { name: "in a later turn", cut: (socket) => void setImmediate(() => breakOff(socket)) },
];

for (const { name, cut } of MOMENTS) {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`a connection over ${maxVersion} that is broken off ${name} is reset`, async (t) => {
      const secure = createTlsServer({ cert: pem, key: keyPem, maxVersion });
      let raw: Socket | undefined;
      secure.on("secureConnection", (socket) => {
        socket.on("error", () => {});
        if (raw) carriedBy(socket, raw);
        cut(socket);
      });
      const server = createServer((socket) => {
        raw = socket.on("error", () => {});
        secure.emit("connection", socket);
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      t.after(() => server.close());
      const place = server.address();
      assert.ok(typeof place === "object" && place);
      const caller = tlsConnect({ port: place.port, host: "127.0.0.1", rejectUnauthorized: false });
      caller.once("secureConnect", () => caller.write("x"));
      const [error] = (await once(caller, "error")) as [NodeJS.ErrnoException];
      assert.match(String(error.code), /^(?:ECONNRESET|EPIPE)$/);
    });
  }
}
