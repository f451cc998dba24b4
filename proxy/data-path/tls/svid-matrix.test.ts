import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { call } from "../../../test/harness/proxy-pair.ts";
import { StaticEnvoy } from "../../../test/harness/static-envoy.ts";
import { BAD_CERTIFICATES, BAD_URIS, GOOD_ID } from "../../../test/harness/svid-vectors.ts";
import { mintRoot, mintSvid, type TestCertificate, uriSan } from "../../../test/harness/test-certificates.ts";
import { freePort } from "../../../test/harness/test-proxy.ts";
import { skipWithout } from "../../../test/harness/tools.ts";
import type { DownstreamTls, MeshTls } from "../../model/tls.ts";
import { ClientTls } from "./client-tls.ts";
import { SecretStore } from "./secret-store.ts";
import { ServerTls } from "./server-tls.ts";

/** A peer that neither answers nor refuses has not let anybody in. */
const LONGEST_MS = 500;
const TRUST_DOMAIN = "example.org";
const root = mintRoot();
const own = mintSvid(root, `spiffe://${TRUST_DOMAIN}/ns/default/sa/own`);

interface Vector {
  readonly name: string;
  readonly certificate: TestCertificate;
}

function nameOf(uri: string): string {
  return `the URI ${JSON.stringify(uri.slice(0, 60))}`;
}

/** All that no peer may take for an SVID, signed with the mesh's very root unless its name says otherwise. */
const vectors: readonly Vector[] = [
  ...BAD_CERTIFICATES.map(({ name, options }) => ({ name, certificate: mintSvid(root, GOOD_ID, options) })),
  ...BAD_URIS.map((uri) => ({
    name: nameOf(uri),
    certificate: mintSvid(root, GOOD_ID, { sans: [uriSan(uri)] }),
  })),
  { name: "another trust domain", certificate: mintSvid(root, "spiffe://other.org/ns/default/sa/reviews") },
  { name: "a foreign root", certificate: mintSvid(mintRoot("foreign"), GOOD_ID) },
  { name: "a foreign root of the same name", certificate: mintSvid(mintRoot(), GOOD_ID) },
  {
    name: "an end that has passed",
    certificate: mintSvid(root, GOOD_ID, {
      notBeforeMs: Date.now() - 7_200_000,
      notAfterMs: Date.now() - 60_000,
    }),
  },
  {
    name: "the identity of an agent",
    certificate: mintSvid(root, `spiffe://${TRUST_DOMAIN}/lateen/agent/a1`),
  },
];
const good: Vector = { name: "nothing wrong", certificate: mintSvid(root, GOOD_ID) };

/** Whoever verifies: true when the peer with this certificate was let in and answered. */
interface Verifier extends AsyncDisposable {
  accepts(certificate: TestCertificate): Promise<boolean>;
}

/**
 * What Envoy takes although it is no SVID: it verifies the chain and looks for one name that matches, as it does in Istio.
 * Only the mesh's own authority could sign these, and its self-check does not let them out (mesh-authority.test.ts).
 */
const ENVOY_TAKES = [
  "two URI SANs",
  "the same URI SAN twice",
  "CA:TRUE",
  "no key usage",
  "keyCertSign",
  "cRLSign",
  ...BAD_URIS.filter(
    (uri) => uri.startsWith(`spiffe://${TRUST_DOMAIN}/ns/default/sa/revi`) || uri.endsWith("%61"),
  ).map(nameOf),
];
const ENVOY_SERVER_TAKES: ReadonlySet<string> = new Set([...ENVOY_TAKES, "clientAuth alone"]);
const ENVOY_CLIENT_TAKES: ReadonlySet<string> = new Set([...ENVOY_TAKES, "serverAuth alone"]);

const verifiers: readonly {
  readonly name: string;
  readonly skip: string | false;
  readonly start: () => Promise<Verifier>;
  readonly takes: ReadonlySet<string>;
}[] = [
  { name: "our server", skip: false, start: ourServer, takes: new Set() },
  { name: "our client", skip: false, start: ourClient, takes: new Set() },
  { name: "Envoy as the server", skip: skipWithout("envoy"), start: envoyServer, takes: ENVOY_SERVER_TAKES },
  { name: "Envoy as the client", skip: skipWithout("envoy"), start: envoyClient, takes: ENVOY_CLIENT_TAKES },
];

for (const { name, skip, start, takes } of verifiers) {
  describe(name, { skip }, () => {
    let verifier: Verifier | undefined;
    before(async () => {
      verifier = await start();
    });
    after(async () => {
      await verifier?.[Symbol.asyncDispose]();
    });
    test("takes an SVID", async () => {
      assert.equal(await verifier?.accepts(good.certificate), true);
    });
    for (const vector of vectors) {
      const taken = takes.has(vector.name);
      test(`${taken ? "takes" : "refuses"} a peer with ${vector.name}`, async () => {
        assert.equal(await verifier?.accepts(vector.certificate), taken);
      });
    }
  });
}

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

function ownSecrets(): SecretStore {
  const secrets = new SecretStore();
  secrets.put({ kind: "certificate", name: "default", chainPem: own.pem, keyPem: own.keyPem });
  secrets.put({ kind: "roots", name: "ROOTCA", pem: root.pem, crls: [] });
  return secrets;
}

async function ourServer(): Promise<Verifier> {
  const tls: DownstreamTls = {
    ...common,
    alpn: ["istio"],
    handshakeTimeoutMs: 5_000,
  };
  const server = new ServerTls({
    tls,
    protocol: "tcp",
    secrets: ownSecrets(),
    clock: systemClock,
  });
  const open = new Set<Socket>();
  const listener = createServer((raw) => {
    open.add(raw);
    raw.on("error", () => {});
    server.accept(raw, "").then(
      ({ socket }) => socket.end("in"),
      () => raw.destroy(),
    );
  });
  const port = await listening(listener);
  return {
    accepts: (certificate) => answered(port, certificate, "istio"),
    async [Symbol.asyncDispose]() {
      server.close();
      for (const raw of open) raw.destroy();
      await closed(listener);
    },
  };
}

async function ourClient(): Promise<Verifier> {
  const tls: MeshTls = { ...common, alpn: ["istio"], serverName: "outbound_.80_._.reviews" };
  const client = new ClientTls({ tls, secrets: ownSecrets(), clock: systemClock, offersTunnel: false });
  return {
    async accepts(certificate) {
      await using peer = await impostor(certificate);
      const raw = connectTcp(peer.port, "127.0.0.1");
      raw.on("error", () => {});
      await once(raw, "connect");
      try {
        const { socket } = await client.connect(raw, `impostor:${peer.port}`);
        socket.destroy();
        return true;
      } catch {
        return false;
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** As the translation writes it, with the certificates in place of their names. */
const envoyContext = {
  tlsParams: { tlsMinimumProtocolVersion: "TLSv1_2", tlsMaximumProtocolVersion: "TLSv1_3" },
  tlsCertificates: [
    { certificateChain: { inlineString: own.pem }, privateKey: { inlineString: own.keyPem } },
  ],
  validationContext: {
    trustedCa: { inlineString: root.pem },
    matchTypedSubjectAltNames: [{ sanType: "URI", matcher: { prefix: `spiffe://${TRUST_DOMAIN}/ns/` } }],
  },
};

const answering = {
  name: "envoy.filters.network.http_connection_manager",
  typedConfig: {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    statPrefix: "in",
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
  },
};

async function envoyServer(): Promise<Verifier> {
  const port = await freePort();
  const direct = { match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "in" } } };
  const filter = manager([{ name: "all", domains: ["*"], routes: [direct] }]);
  const transportSocket = tlsSocket("DownstreamTlsContext", {
    commonTlsContext: envoyContext,
  });
  const listener = { ...listenerAt(port), filterChains: [{ filters: [filter], transportSocket }] };
  const envoy = await StaticEnvoy.start([listener], []);
  return {
    accepts: (certificate) => answered(port, certificate, "http/1.1"),
    [Symbol.asyncDispose]: () => envoy[Symbol.asyncDispose](),
  };
}

/** One cluster for all: the impostor behind it changes. */
async function envoyClient(): Promise<Verifier> {
  const [port, peerPort] = [await freePort(), await freePort()];
  const route = { match: { prefix: "/" }, route: { cluster: "peer" } };
  const filter = manager([{ name: "all", domains: ["*"], routes: [route] }]);
  const address = { socketAddress: { address: "127.0.0.1", portValue: peerPort } };
  const cluster = {
    name: "peer",
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment: { clusterName: "peer", endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] },
    transportSocket: tlsSocket("UpstreamTlsContext", { commonTlsContext: envoyContext, sni: "outbound" }),
  };
  const envoy = await StaticEnvoy.start(
    [{ ...listenerAt(port), filterChains: [{ filters: [filter] }] }],
    [cluster],
  );
  return {
    async accepts(certificate) {
      await using _ = await impostor(certificate, peerPort);
      return (await call(port)).status === 200;
    },
    [Symbol.asyncDispose]: () => envoy[Symbol.asyncDispose](),
  };
}

function manager(virtualHosts: readonly object[]): object {
  const { name, typedConfig } = answering;
  return { name, typedConfig: { ...typedConfig, routeConfig: { name: "r", virtualHosts } } };
}

function tlsSocket(kind: string, context: object): object {
  const type = `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${kind}`;
  return { name: "envoy.transport_sockets.tls", typedConfig: { "@type": type, ...context } };
}

function listenerAt(port: number): { readonly [key: string]: unknown } {
  return { name: `l${port}`, address: { socketAddress: { address: "127.0.0.1", portValue: port } } };
}

/** A client with this certificate, which verifies nothing: whether it got an answer. */
async function answered(port: number, { pem, keyPem }: TestCertificate, alpn: string): Promise<boolean> {
  const socket = connectTls({
    port,
    host: "127.0.0.1",
    cert: pem,
    key: keyPem,
    ALPNProtocols: [alpn],
    rejectUnauthorized: false,
  });
  socket.on("error", () => {});
  socket.once("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (text.endsWith("in")) socket.destroy();
  });
  const limit = setTimeout(() => socket.destroy(), LONGEST_MS);
  await new Promise((resolve) => socket.once("close", resolve));
  clearTimeout(limit);
  return text.endsWith("in");
}

/** A server with this certificate, which takes anybody. */
async function impostor(
  { pem, keyPem }: TestCertificate,
  port = 0,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createTlsServer({
    cert: pem,
    key: keyPem,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNCallback: ({ protocols }) => protocols[0],
  });
  server.on("connection", (socket) => sockets.add(socket));
  server.on("tlsClientError", () => {});
  server.on("secureConnection", (socket) => {
    socket.on("error", () => {});
    socket.on("data", () =>
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nin"),
    );
  });
  const bound = await listening(server, port);
  return {
    port: bound,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await closed(server);
    },
  };
}

async function listening(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}
