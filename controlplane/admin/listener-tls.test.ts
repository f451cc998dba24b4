import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { Agent, request } from "undici";
import { MeshError } from "../../mesh/errors.ts";
import { SAN_DNS, SAN_IP } from "../../mesh/identity/certificate-facts.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { fakeServer } from "../../test/fakes/admin-deps.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { mint, mintRoot, type TestCertificate, uriSan } from "../../test/harness/test-certificates.ts";
import type { CertificateRule } from "./access/client-certificates.ts";
import { createAdmin } from "./admin.ts";
import { listenerTls } from "./listener-tls.ts";
import { ADMIN_TOKEN, adminOptions } from "./testing/admin-options.ts";

const root = mintRoot("server root");
const operators = mintRoot("operators");
const localhost = [
  { tag: SAN_DNS, value: "localhost" },
  { tag: SAN_IP, value: "\x7f\0\0\x01" },
];
const serverCertificate = (): TestCertificate => mint({ issuer: root, commonName: "admin", sans: localhost });
const clientCertificate = (name: string, options = {}): TestCertificate =>
  mint({ issuer: operators, sans: [uriSan(name)], ...options });

const RULES: readonly CertificateRule[] = [
  { san: "URI:spiffe://corp/ci", role: "editor", namespaces: ["shop"] },
  { san: "URI:spiffe://corp/root", role: "admin" },
];

interface Listening {
  readonly port: number;
  readonly files: { readonly certFile: string; readonly keyFile: string };
  readonly clock: ManualClock;
  /** The status of a GET with these credentials. */
  readonly status: (path: string, credential: Credential) => Promise<number>;
}

interface Credential {
  readonly token?: string;
  readonly certificate?: TestCertificate;
}

async function listen(t: TestContext): Promise<Listening> {
  const directory = mkdtempSync(join(tmpdir(), "lateen-admin-tls-"));
  const files = {
    certFile: join(directory, "tls.crt"),
    keyFile: join(directory, "tls.key"),
    clientCaFile: join(directory, "ca.crt"),
  };
  writeTo(files, serverCertificate());
  writeFileSync(files.clientCaFile, operators.pem);
  const clock = new ManualClock(0);
  const identity = {
    get current(): never {
      throw new Error("the files are what is presented");
    },
    onChange: () => undefined,
  };
  const listener = listenerTls(files, { identity, clock, logger: silentLogger });
  const stop = new AbortController();
  const running = listener.run(stop.signal);
  const admin = createAdmin(fakeServer().deps, adminOptions({ certificates: RULES }));
  const { port } = await admin.listenTcp({ host: "127.0.0.1", port: 0, tls: listener.tls });
  t.after(async () => {
    stop.abort();
    await running;
    await admin[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  return {
    port,
    files,
    clock,
    async status(path, { token, certificate }) {
      const own = certificate === undefined ? {} : { cert: certificate.pem, key: certificate.keyPem };
      const dispatcher = new Agent({ connect: { ca: root.pem, ...own } });
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const { statusCode, body } = await request(`https://127.0.0.1:${port}${path}`, { dispatcher, headers });
      await body.dump();
      await dispatcher.close();
      return statusCode;
    },
  };
}

function writeTo({ certFile, keyFile }: Listening["files"], { pem, keyPem }: TestCertificate): void {
  writeFileSync(certFile, pem);
  writeFileSync(keyFile, keyPem);
}

function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ca: root.pem, ...options }, () => resolve(socket));
    socket.once("error", reject);
  });
}

const code = (expected: string) => (error: unknown) => error instanceof MeshError && error.code === expected;

test("over TLS a token opens the API, and nothing does not", async (t) => {
  const { status } = await listen(t);
  assert.equal(await status("/v1/version", { token: ADMIN_TOKEN }), 200);
  assert.equal(await status("/v1/version", { token: "wrong" }), 401);
  assert.equal(await status("/v1/version", {}), 401);
});

test("a client certificate is worth what its row says", async (t) => {
  const { status } = await listen(t);
  const ci = { certificate: clientCertificate("spiffe://corp/ci") };
  assert.equal(await status("/v1/services", ci), 200);
  assert.equal(await status("/v1/access-tokens", ci), 403);
  assert.equal(await status("/v1/proxies/other/x/config", ci), 403);
  assert.equal(
    await status("/v1/access-tokens", { certificate: clientCertificate("spiffe://corp/root") }),
    200,
  );
  // A token that is not good is not made good by the certificate.
  assert.equal(await status("/v1/services", { ...ci, token: "wrong" }), 401);
});

const worthless: readonly { readonly name: string; readonly certificate: () => TestCertificate }[] = [
  { name: "with a name that no row has", certificate: () => clientCertificate("spiffe://corp/c") },
  {
    name: "of another authority",
    certificate: () => mint({ issuer: mintRoot("operators"), sans: [uriSan("spiffe://corp/root")] }),
  },
  {
    name: "of the server's authority",
    certificate: () => mint({ issuer: root, sans: [uriSan("spiffe://corp/root")] }),
  },
  {
    name: "that has expired",
    certificate: () => clientCertificate("spiffe://corp/root", { notAfterMs: Date.now() - 1_000 }),
  },
  {
    name: "for servers alone",
    certificate: () => clientCertificate("spiffe://corp/root", { extendedKeyUsage: ["serverAuth"] }),
  },
  {
    name: "with the name in its common name",
    certificate: () =>
      mint({ issuer: operators, commonName: "URI:spiffe://corp/root", sans: [uriSan("spiffe://x/y")] }),
  },
  {
    name: "with the name inside another one",
    certificate: () => clientCertificate("spiffe://x/y, URI:spiffe://corp/root"),
  },
];

for (const { name, certificate } of worthless) {
  test(`a client certificate ${name} opens nothing`, async (t) => {
    const { status } = await listen(t);
    assert.equal(await status("/v1/version", { certificate: certificate() }), 401);
  });
}

test("TLS 1.2 and plain HTTP are not spoken", async (t) => {
  const { port } = await listen(t);
  await assert.rejects(handshake(port, { maxVersion: "TLSv1.2" }), /protocol version/);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/v1/version`));
});

test("new files are presented within a minute, and files that cannot be used change nothing", async (t) => {
  const { port, files, clock } = await listen(t);
  const presented = async (): Promise<string> => {
    const socket = await handshake(port);
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return new X509Certificate(raw).fingerprint256;
  };
  const minute = async (): Promise<void> => {
    clock.advance(60_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const first = await presented();
  const next = serverCertificate();
  writeTo(files, next);
  await minute();
  const second = await presented();
  assert.notEqual(second, first);
  assert.equal(second, new X509Certificate(next.pem).fingerprint256);
  writeFileSync(files.keyFile, serverCertificate().keyPem);
  await minute();
  assert.equal(await presented(), second);
});

test("files that cannot be used stop the start", () => {
  const deps = { identity: {} as never, clock: new ManualClock(0), logger: silentLogger };
  assert.throws(() => listenerTls({ certFile: "/none", keyFile: "/none" }, deps), code("config.invalid"));
});
