import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { mintRoot, mintSvid } from "../../../test/harness/test-certificates.ts";
import { ClientTls } from "./client-tls.ts";
import { SecretStore } from "./secret-store.ts";
import { ServerTls } from "./server-tls.ts";

const root = mintRoot();
const idOf = (name: string): string => `spiffe://cluster.local/ns/default/sa/${name}`;

const common = {
  kind: "mesh",
  certificate: "default",
  roots: "ROOTCA",
  sans: [],
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  ciphers: [],
  curves: [],
  alpn: ["istio"],
} as const;

function secretsOf(name: string): SecretStore {
  const secrets = new SecretStore();
  const { pem, keyPem } = mintSvid(root, idOf(name), {});
  secrets.put({ kind: "certificate", name: "default", chainPem: pem, keyPem });
  secrets.put({ kind: "roots", name: "ROOTCA", pem: root.pem, crls: [] });
  return secrets;
}

function serverTls(): ServerTls {
  const tls = { ...common, handshakeTimeoutMs: 5_000 };
  return new ServerTls({ tls, protocol: "tcp", secrets: secretsOf("server"), clock: systemClock });
}

function clientTls(name: string): ClientTls {
  const tls = { ...common, serverName: "outbound_.80_._.server" };
  return new ClientTls({
    tls,
    secrets: secretsOf(name),
    clock: systemClock,
    alpn: ["istio"],
    offersTunnel: false,
  });
}

/** Both ends of a new connection over a unix socket, whose ends have no address to tell them from others. */
async function joined(server: Server, path: string): Promise<readonly [own: Socket, other: Socket]> {
  const accepted = once(server, "connection");
  const other = connect(path);
  const [own] = (await accepted) as [Socket];
  for (const socket of [own, other]) socket.on("error", () => {});
  return [own, other];
}

test("handshakes at the same time are each their own connection's, whatever its address", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-server-tls-"));
  const path = join(folder, "tls.sock");
  const server = createServer({ allowHalfOpen: true }).listen(path);
  await once(server, "listening");
  // Those over TLS are gone before those that carry them.
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets.toReversed()) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });
  const tls = serverTls();
  const [first, firstCaller] = await joined(server, path);
  const [second, secondCaller] = await joined(server, path);
  sockets.push(first, firstCaller, second, secondCaller);
  const peers = [tls.accept(first, ""), tls.accept(second, "")].map(async (accepted) => {
    const { socket, peer } = await accepted;
    sockets.push(socket);
    return peer?.uri;
  });
  // Who came last is done first.
  sockets.push((await clientTls("second").connect(secondCaller, "server")).socket);
  sockets.push((await clientTls("first").connect(firstCaller, "server")).socket);
  assert.deepEqual(await Promise.all(peers), [idOf("first"), idOf("second")]);
});

test("a connection that is closed before its handshake begins is nobody's", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const place = server.address();
  assert.ok(typeof place === "object" && place);
  const accepted = once(server, "connection");
  const other = connect(place.port, "127.0.0.1");
  const [own] = (await accepted) as [Socket];
  own.destroy();
  await once(own, "close");
  await assert.rejects(serverTls().accept(own, ""), /closed during the handshake/);
  other.destroy();
});
