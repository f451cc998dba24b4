import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConsulDouble } from "../../test/fakes/consul-double.ts";
import { NomadDouble } from "../../test/fakes/nomad-double.ts";
import { loadAgentConfig } from "../config.ts";
import { catalogFindings } from "./catalog-findings.ts";

test("services files on a host whose services are declared in Consul are told, and nothing else is made of them", async (t) => {
  await using consul = await ConsulDouble.start();
  const folder = await mkdtemp(join(tmpdir(), "lateen-files-"));
  t.after(() => rm(folder, { recursive: true }));
  const found = async (kind: string): Promise<readonly string[]> => {
    const flags = { discovery: { kind, consul: consul.address, path: folder } };
    const { discovery } = loadAgentConfig({ environment: {}, flags });
    const findings = await catalogFindings(discovery, new AbortController().signal);
    return findings.map(({ code, severity, message }) => `${code} ${severity}: ${message}`);
  };
  assert.deepEqual(await found("consul"), []);
  await writeFile(join(folder, "web.yaml"), "services: [{ name: web, port: 80 }]");
  assert.deepEqual(await found("consul"), [
    `host.services-file warning: ${join(folder, "web.yaml")}: nobody reads it, services of this host are declared in Consul`,
  ]);
  assert.deepEqual(await found("file"), []);
});

test("a Consul agent that does not answer, and one that refuses the token, are told apart; a service file's host asks none", async (t) => {
  const consul = await ConsulDouble.start();
  t.after(() => consul[Symbol.asyncDispose]());
  const folder = await mkdtemp(join(tmpdir(), "lateen-token-"));
  t.after(() => rm(folder, { recursive: true }));
  const tokenFile = join(folder, "token");
  const found = async (discovery: Record<string, unknown>): Promise<readonly string[]> => {
    const config = loadAgentConfig({ environment: {}, flags: { discovery } });
    const findings = await catalogFindings(config.discovery, new AbortController().signal);
    return findings.map(({ code, hint }) => `${code}: ${hint}`);
  };
  assert.deepEqual(await found({ kind: "consul", consul: consul.address }), []);
  consul.token = "right";
  await writeFile(tokenFile, "wrong");
  const [refused] = await found({ kind: "consul", consul: consul.address, tokenFile });
  assert.match(refused ?? "", /^host\.catalog-token: put a token .* into .*token$/);
  await writeFile(tokenFile, "right");
  assert.deepEqual(await found({ kind: "consul", consul: consul.address, tokenFile }), []);
  consul.down();
  const [away] = await found({ kind: "consul", consul: consul.address, tokenFile });
  assert.match(away ?? "", /^host\.catalog-unreachable: /);
  assert.deepEqual(await found({ kind: "file", consul: "http://127.0.0.1:1" }), []);
});

const nomads: readonly {
  readonly name: string;
  readonly prepare: (nomad: NomadDouble) => void;
  readonly want: readonly string[];
}[] = [
  { name: "nothing of one that answers", prepare: () => {}, want: [] },
  {
    name: "one that refuses the token",
    prepare: (nomad) => void (nomad.token = "another"),
    want: ["host.nomad-token"],
  },
  {
    name: "one that does not answer",
    prepare: (nomad) => nomad.down(),
    want: ["host.nomad-unreachable"],
  },
];

for (const { name, prepare, want } of nomads) {
  test(`of this host's Nomad is found: ${name}`, async () => {
    await using nomad = await NomadDouble.start();
    prepare(nomad);
    const flags = { discovery: { kind: "nomad", nomad: { address: nomad.address } } };
    const { discovery } = loadAgentConfig({ environment: {}, flags });
    const found = await catalogFindings(discovery, new AbortController().signal);
    assert.deepEqual(
      found.map(({ code }) => code),
      want,
    );
  });
}
