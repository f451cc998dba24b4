import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startConsul } from "../../setup/run-consul.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { mint, mintRoot, type TestCertificate } from "../../test/harness/test-certificates.ts";
import { requireTool, skipWithout } from "../../test/harness/tools.ts";
import { KEY_USAGE, SAN_DNS } from "../identity/certificate-facts.ts";
import { type ConsulClient, type ConsulSettings, consulClient } from "./consul-client.ts";

const skip = skipWithout("consul");
const SERVER_NAME = "server.dc1.consul";
const LEADER = { path: "/status/leader", timeoutMs: 3_000 };

async function ask(settings: ConsulSettings): Promise<string> {
  using client = consulClient(settings);
  return askWith(client);
}

async function askWith(client: ConsulClient): Promise<string> {
  return await client.get(LEADER, new AbortController().signal).then(
    ({ body }) => (typeof body === "string" ? "answers" : "answers something else"),
    (error: unknown) => String(error),
  );
}

test("a Consul is asked over its unix socket", { skip }, async () => {
  await using ground = await startGround();
  const { socket } = ground;
  assert.equal(await ask({ address: `unix://${socket}` }), "answers");
  assert.match(await ask({ address: `unix://${socket}-gone` }), /ENOENT/);
});

test("a Consul that wants certificates is asked over TLS, by the name in its own", { skip }, async () => {
  await using ground = await startGround();
  const { https: address, caFile, certFile, keyFile } = ground;
  const tls = { caFile, certFile, keyFile, serverName: SERVER_NAME };
  assert.equal(await ask({ address, tls }), "answers");
  assert.match(await ask({ address, tls: { ...tls, serverName: undefined } }), /altname/i);
  assert.match(await ask({ address, tls: { ...tls, caFile: undefined } }), /certificate/);
  assert.match(
    await ask({ address, tls: { caFile, serverName: SERVER_NAME } }),
    /certificate|alert|ECONNRESET/,
  );
});

test("TLS files that are replaced count, and ones that cannot be used change nothing", { skip }, async () => {
  await using ground = await startGround();
  const { https: address, caFile, certFile, keyFile } = ground;
  await writeFile(certFile, ground.stranger.pem);
  await writeFile(keyFile, ground.stranger.keyPem);
  const tls = { caFile, certFile, keyFile, serverName: SERVER_NAME };
  using client = consulClient({ address, tls, tlsLookAgainMs: 0 });
  assert.match(await askWith(client), /certificate|alert|ECONNRESET/);
  await writeFile(keyFile, ground.client.keyPem);
  await writeFile(certFile, ground.client.pem);
  await eventually("it is let in", async () => (await askWith(client)) === "answers");
  await writeFile(keyFile, ground.stranger.keyPem);
  assert.equal(await askWith(client), "answers", "half of a replacement counts");
  await rm(certFile);
  assert.equal(await askWith(client), "answers");
  assert.match(await ask({ address, tls }), /ENOENT/);
});

interface Ground extends AsyncDisposable {
  readonly socket: string;
  readonly https: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly client: TestCertificate;
  /** Under an authority that this Consul does not know. */
  readonly stranger: TestCertificate;
}

/** A real Consul with a unix socket, and with HTTPS that wants a client's certificate. */
async function startGround(): Promise<Ground> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "lateen-consul-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const root = mintRoot("consul root");
  const server = leaf(root, SERVER_NAME, "serverAuth");
  const client = leaf(root, "client.dc1.consul", "clientAuth");
  const files = {
    "ca.pem": root.pem,
    "server.pem": server.pem,
    "server.key": server.keyPem,
    "client.pem": client.pem,
    "client.key": client.keyPem,
  };
  const at = (name: string): string => join(directory, name);
  for (const [name, text] of Object.entries(files)) await writeFile(at(name), text, { mode: 0o600 });
  const host = `127.${randomInt(64, 128)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  const socket = at("consul.sock");
  const hcl = `addresses { http = "${host} unix://${socket}" } ports { https = 8501 }
    ca_file = "${at("ca.pem")}" cert_file = "${at("server.pem")}" key_file = "${at("server.key")}"
    verify_incoming_https = true`;
  stack.use(await startConsul(requireTool("consul"), undefined, `http://${host}:8500`, hcl));
  const open = stack.move();
  return {
    socket,
    https: `https://${host}:8501`,
    caFile: at("ca.pem"),
    certFile: at("client.pem"),
    keyFile: at("client.key"),
    client,
    stranger: leaf(mintRoot("another root"), "client.dc1.consul", "clientAuth"),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

function leaf(
  issuer: TestCertificate,
  commonName: string,
  use: "serverAuth" | "clientAuth",
): TestCertificate {
  return mint({
    issuer,
    commonName,
    sans: [{ tag: SAN_DNS, value: commonName }],
    keyUsage: KEY_USAGE.digitalSignature,
    extendedKeyUsage: [use],
  });
}
