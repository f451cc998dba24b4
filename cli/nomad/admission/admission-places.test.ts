import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request as requestHttps } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SAN_DNS } from "../../../mesh/identity/certificate-facts.ts";
import { latin1 } from "../../../mesh/identity/der.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { ManualClock } from "../../../test/fakes/manual-clock.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { mint, mintRoot, type TestCertificate } from "../../../test/harness/test-certificates.ts";
import { jobOf } from "../inject/testing/job-of.ts";
import { startAdmission } from "./admission-server.ts";
import { runAdmission } from "./app.ts";
import { type AdmissionConfig, loadAdmissionConfig } from "./config.ts";
import {
  type Answer,
  configOf,
  loggerInto,
  openAt,
  readAnswer,
  settingsOf,
} from "./testing/admission-bench.ts";
import { FakeNomad } from "./testing/fake-nomad.ts";

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "lateen-admission-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

function leaf(issuer: TestCertificate, name: string, use: "serverAuth" | "clientAuth"): TestCertificate {
  return mint({
    issuer,
    commonName: name,
    sans: [{ tag: SAN_DNS, value: latin1(Buffer.from(name)) }],
    extendedKeyUsage: [use],
  });
}

/** Writes a certificate and its key, and says where. */
function write(directory: string, name: string, { pem, keyPem }: TestCertificate) {
  const [certFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  writeFileSync(certFile, pem);
  writeFileSync(keyFile, keyPem);
  return { certFile, keyFile };
}

function askTls(port: number, options: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = requestHttps({ host: "127.0.0.1", port, path: "/v1/nodes", agent: false, ...options });
    sent.once("response", (answer) => resolve(readAnswer(answer))).once("error", reject);
    sent.end();
  });
}

test("TLS on both sides: it asks its clients for certificates, shows Nomad its own, and knows Nomad by its name", async (t) => {
  const directory = temporary(t);
  const root = mintRoot();
  const ca = write(directory, "ca", root).certFile;
  const nomadLeaf = leaf(root, "server.global.nomad", "serverAuth");
  await using nomad = await FakeNomad.start({
    tls: {
      cert: nomadLeaf.pem,
      key: nomadLeaf.keyPem,
      ca: root.pem,
      requestCert: true,
      rejectUnauthorized: true,
    },
  });
  const door = write(directory, "door", leaf(root, "nomad.example", "serverAuth"));
  const own = write(directory, "own", leaf(root, "admission", "clientAuth"));
  const config = (serverName: string): AdmissionConfig =>
    configOf({
      listen: { address: "127.0.0.1:0", ...door, clientCaFile: ca },
      nomad: { address: `https://127.0.0.1:${nomad.port}`, caFile: ca, ...own, serverName },
    });
  await using server = await startAdmission(
    "127.0.0.1:0",
    settingsOf(config("server.global.nomad")),
    silentLogger,
  );
  const port = Number(server.address.split(":").at(-1));
  const client = leaf(root, "somebody", "clientAuth");
  const known = { ca: root.pem, servername: "nomad.example", cert: client.pem, key: client.keyPem };
  assert.equal((await askTls(port, known)).status, 200);
  await assert.rejects(askTls(port, { ca: root.pem, servername: "nomad.example" }));
  await using stranger = await startAdmission(
    "127.0.0.1:0",
    settingsOf(config("client.global.nomad")),
    silentLogger,
  );
  const refused = await askTls(Number(stranger.address.split(":").at(-1)), known);
  assert.equal(refused.status, 502);
  assert.match(refused.text, /server\.global\.nomad/);
  assert.equal(nomad.seen.length, 1);
});

test("sockets on both sides; one that a killed admission left is taken, one that is in use is not", async (t) => {
  const directory = temporary(t);
  const [far, near] = [join(directory, "nomad.sock"), join(directory, "near.sock")];
  await using nomad = await FakeNomad.start({ path: far });
  const config = configOf({ listen: { address: `unix://${near}` }, nomad: { address: `unix://${far}` } });
  writeFileSync(near, "");
  await assert.rejects(startAdmission(`unix://${near}`, settingsOf(config), silentLogger), /is not a socket/);
  rmSync(near);
  {
    await using server = await startAdmission(`unix://${near}`, settingsOf(config), silentLogger);
    assert.equal(server.address, `unix://${near}`);
    assert.equal(statSync(near).mode & 0o777, 0o660);
    const answer = await readAnswer(await openAt({ socketPath: near }, "/v1/nodes", {}));
    assert.equal(answer.status, 200);
    assert.equal(nomad.only("GET").url, "/v1/nodes");
    const again = startAdmission(`unix://${near}`, settingsOf(config), silentLogger);
    await assert.rejects(again, /another program is listening/);
  }
});

test("a place that is taken is an error that says what to do", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  const { port } = holder.address() as { port: number };
  const config = configOf({});
  await assert.rejects(startAdmission(`127.0.0.1:${port}`, settingsOf(config), silentLogger), {
    code: "config.invalid",
    message: /EADDRINUSE/,
  });
  holder.close();
});

test("a changed configuration counts from the next look on, and one that is broken changes nothing", async () => {
  await using nomad = await FakeNomad.start();
  const clock = new ManualClock();
  const ending = new AbortController();
  const log: string[] = [];
  let file: object = {};
  const load = (): AdmissionConfig =>
    loadAdmissionConfig({
      file: { name: "nomad.yaml", text: JSON.stringify({ listen: { address: "127.0.0.1:0" }, ...file }) },
      environment: {},
      flags: { nomad: { address: `http://127.0.0.1:${nomad.port}` } },
    });
  const { promise, resolve } = Promise.withResolvers<string>();
  const done = runAdmission({ load, clock, logger: loggerInto(log), onReady: resolve }, ending.signal);
  const port = Number((await promise).split(":").at(-1));
  const register = async (): Promise<number> => {
    const body = JSON.stringify({ Job: jobOf() });
    return (await readAnswer(await openAt({ host: "127.0.0.1", port }, "/v1/jobs", { method: "PUT", body })))
      .status;
  };
  const look = async (line: RegExp): Promise<void> => {
    clock.advance(5_000);
    await eventually(`it logs ${line}`, () => log.some((text) => line.test(text)));
  };
  assert.equal(await register(), 200);
  file = { rules: [{ namespaces: ["*"], forbid: { drivers: ["docker"] } }] };
  await look(/the configuration changed/);
  assert.equal(await register(), 403);
  file = { rules: [{ namespaces: [], forbidden: {} }] };
  await look(/cannot be used, the last one stays in force.*forbidden: there is no such key/);
  assert.equal(await register(), 403);
  ending.abort();
  await done;
});
