import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { mintRoot, mintSvid } from "../../../test/harness/test-certificates.ts";
import type { DownstreamTls, MeshTls } from "../../model/tls.ts";
import { ClientTls } from "./client-tls.ts";
import { SecretStore } from "./secret-store.ts";
import { chooseAlpn, ServerTls, type TlsConnection } from "./server-tls.ts";

const CLIENT = "spiffe://cluster.local/ns/default/sa/client";
const SERVER = "spiffe://cluster.local/ns/default/sa/server";
const root = mintRoot();

const common = {
  kind: "mesh",
  certificate: "default",
  roots: "ROOTCA",
  sans: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  ciphers: [],
  curves: [],
} as const;
const downstream: DownstreamTls = {
  ...common,
  alpn: ["istio"],
  handshakeTimeoutMs: 5_000,
};
const upstream: MeshTls = { ...common, alpn: ["istio"], serverName: "outbound_.80_._.server" };

function store(id: string): SecretStore {
  const secrets = new SecretStore();
  renew(secrets, id);
  secrets.put({ kind: "roots", name: "ROOTCA", pem: root.pem, crls: [] });
  return secrets;
}

function renew(secrets: SecretStore, id: string, notAfterMs = Date.now() + 60_000): void {
  const svid = mintSvid(root, id, { notAfterMs });
  secrets.put({ kind: "certificate", name: "default", chainPem: svid.pem, keyPem: svid.keyPem });
}

const serverSecrets = store(SERVER);
const serverTls = new ServerTls({
  tls: downstream,
  protocol: "tcp",
  secrets: serverSecrets,
  clock: systemClock,
});
const accepted: TlsConnection[] = [];
const listener = createServer((raw) => {
  raw.on("error", () => {});
  void greet(raw);
});

async function greet(raw: Socket): Promise<void> {
  const connection = await serverTls.accept(raw, "").catch(() => undefined);
  if (connection === undefined) return;
  accepted.push(connection);
  connection.socket.write("x");
}

let port = 0;

before(async () => {
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  port = (listener.address() as { port: number }).port;
});

after(() => listener.close());

/** Connects, and waits for the first byte: with it the ticket has come. */
async function dial(
  client: ClientTls,
): Promise<{ readonly resumed: boolean; readonly peer: string | undefined }> {
  const raw: Socket = connect(port, "127.0.0.1");
  raw.on("error", () => {});
  await new Promise((resolve) => raw.once("connect", resolve));
  const { socket, peer } = await client.connect(raw, "server");
  await new Promise((resolve) => socket.once("data", resolve));
  const resumed = socket.isSessionReused();
  socket.destroy();
  return { resumed, peer: peer?.uri };
}

test("a session is resumed, and both ends still know who the other is", async () => {
  const client = new ClientTls({
    tls: upstream,
    secrets: store(CLIENT),
    clock: systemClock,
    offersTunnel: false,
  });
  assert.deepEqual(await dial(client), { resumed: false, peer: SERVER });
  assert.deepEqual(await dial(client), { resumed: true, peer: SERVER });
  assert.deepEqual(
    accepted.slice(-2).map(({ peer }) => peer?.uri),
    [CLIENT, CLIENT],
  );
});

test("no session outlives the client's identity, its bundle, or the server's identity", async () => {
  const secrets = store(CLIENT);
  const client = new ClientTls({ tls: upstream, secrets, clock: systemClock, offersTunnel: false });
  await dial(client);
  renew(secrets, CLIENT);
  assert.equal((await dial(client)).resumed, false, "a new SVID");
  secrets.put({ kind: "roots", name: "ROOTCA", pem: root.pem, crls: [] });
  assert.equal((await dial(client)).resumed, false, "a new bundle");
  assert.equal((await dial(client)).resumed, true);
  renew(serverSecrets, SERVER);
  assert.equal((await dial(client)).resumed, false, "the server's new SVID");
});

test("a peer whose certificate has expired is refused on a resumed session too", async () => {
  let ahead = 0;
  const clock = { ...systemClock, now: () => Date.now() + ahead };
  const client = new ClientTls({ tls: upstream, secrets: store(CLIENT), clock, offersTunnel: false });
  await dial(client);
  assert.equal((await dial(client)).resumed, true);
  ahead = 3_600_000;
  await assert.rejects(dial(client), /expired/);
});

test("the answer to ALPN is one that was offered, and never istio-peer-exchange", () => {
  const cases: readonly [
    protocol: "http" | "tcp",
    configured: string[],
    offered: string[],
    want: string | undefined,
  ][] = [
    ["http", ["h2", "http/1.1"], ["istio-http/1.1", "istio", "http/1.1"], "http/1.1"],
    ["http", ["h2", "http/1.1"], ["istio-h2", "istio", "h2"], "h2"],
    ["http", ["http/1.1"], ["istio-h2", "istio", "h2"], "istio"],
    ["http", ["http/1.1"], ["h2", "http/1.1"], "http/1.1"],
    ["http", ["h2", "http/1.1"], ["http/1.1", "h2"], "h2"],
    ["http", ["h2"], ["lateen-mux/1", "h2"], "h2"],
    ["http", ["http/1.1"], ["h2"], undefined],
    ["http", ["h2", "http/1.1"], ["h2"], "h2"],
    ["tcp", ["istio"], ["istio-peer-exchange", "istio"], "istio"],
    ["tcp", ["istio"], ["postgresql"], "postgresql"],
    ["tcp", ["istio-peer-exchange", "istio"], ["istio-peer-exchange"], undefined],
    ["tcp", ["istio"], ["lateen-mux/1"], undefined],
    ["tcp", ["istio"], ["lateen-mux/1", "istio-peer-exchange", "istio"], "istio"],
    ["http", ["h2", "http/1.1"], ["lateen-mux/1", "istio"], "istio"],
  ];
  for (const [protocol, alpn, offered, want] of cases) {
    const got = chooseAlpn({ protocol, alpn, mayTunnel: false }, offered);
    assert.equal(got, want, `${protocol} ${offered.join()}`);
    const asked = chooseAlpn({ protocol, alpn, mayTunnel: true }, [...offered, "lateen-mux/1"]);
    assert.equal(asked, "lateen-mux/1", "who is asked for an SVID may have the tunnel");
  }
});

test("a key that is not the certificate's is refused, and the former identity stays", () => {
  const secrets = store(CLIENT);
  const [one, other] = [mintSvid(root, SERVER), mintSvid(root, SERVER)];
  assert.throws(
    () => secrets.put({ kind: "certificate", name: "default", chainPem: one.pem, keyPem: other.keyPem }),
    /private key is not the certificate's/,
  );
  assert.equal(secrets.certificate("default")?.spiffeId, CLIENT);
});
