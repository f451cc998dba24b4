import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { consulClient } from "../../../mesh/consul/consul-client.ts";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { type RunningConsul, startConsul } from "../../../setup/run-consul.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { requireTool, skipWithout } from "../../../test/harness/tools.ts";
import { loadServerConfig, type ServerConfig } from "../../config.ts";
import { Reader } from "../registry.contract.ts";
import type { CatalogInstance } from "../registry.ts";
import { ConsulRegistry } from "./consul-registry.ts";
import { consulScopes } from "./consul-scopes.ts";

const skip = skipWithout("consul");

type Settings = NonNullable<ServerConfig["consul"]>;

/** Each scope's registry, read, as the server would read it with these settings. */
class Scopes implements AsyncDisposable {
  readonly registries: readonly ConsulRegistry[];
  readonly #readers: readonly Reader[];
  readonly #stack = new AsyncDisposableStack();

  constructor(consul: RunningConsul, settings: Partial<Settings> = {}) {
    const config = loadServerConfig({
      environment: {},
      flags: { consul: { address: consul.address, ...settings } },
    }).consul;
    if (config === undefined) throw new Error("no consul");
    const seams = { clock: systemClock, random: Math.random, logger: silentLogger };
    this.registries = consulScopes(config).map(({ name, client, reading }) => {
      const opened = this.#stack.use(consulClient(client));
      return new ConsulRegistry({ ...seams, name, reading, client: opened, timing: { backoffMaxMs: 200 } });
    });
    this.#readers = this.registries.map((registry) => this.#stack.use(new Reader(registry)));
  }

  instances(scope = 0): readonly CatalogInstance[] {
    return this.#readers[scope]?.instances(["consul"]) ?? [];
  }

  async only(
    what: string,
    fits: (instance: CatalogInstance) => boolean,
    scope = 0,
  ): Promise<CatalogInstance> {
    return eventually(what, () => this.instances(scope).find(fits), 5_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

const WEB = { ID: "web-1", Name: "web", Address: "10.0.0.1", Port: 80 };

test("an instance is taken out by maintenance of its service and of its node, and comes back", {
  skip,
}, async () => {
  await using consul = await startConsul(requireTool("consul"));
  await consul.register(WEB);
  await using scopes = new Scopes(consul);
  for (const path of ["/agent/service/maintenance/web-1", "/agent/maintenance"]) {
    await scopes.only("healthy", ({ healthy }) => healthy);
    await consul.put(`${path}?enable=true&reason=upgrade`);
    await scopes.only(`unhealthy by ${path}`, ({ healthy }) => !healthy);
    await consul.put(`${path}?enable=false`);
  }
  await scopes.only("healthy again", ({ healthy }) => healthy);
});

test("a warning counts as healthy with its own weight, or not at all, by setting", { skip }, async () => {
  await using consul = await startConsul(requireTool("consul"));
  const weighted = { Weights: { Passing: 10, Warning: 3 }, Check: { TTL: "1h", Status: "passing" } };
  await consul.register({ ...WEB, ...weighted });
  await using lenient = new Scopes(consul);
  await using strict = new Scopes(consul, { warnings: "unhealthy" });
  for (const scopes of [lenient, strict])
    await scopes.only("the weight of passing", ({ healthy, weight }) => healthy && weight === 10);
  await consul.put("/agent/check/warn/service:web-1");
  await lenient.only("the weight of warning", ({ healthy, weight }) => healthy && weight === 3);
  await strict.only("unhealthy", ({ healthy }) => !healthy);
});

test("the tagged address counts that the settings name, where an instance has it", { skip }, async () => {
  await using consul = await startConsul(requireTool("consul"));
  const wan = { Address: "203.0.113.7", Port: 8080 };
  await consul.register({ ...WEB, TaggedAddresses: { wan } });
  await consul.register({ ...WEB, ID: "web-2", Address: "10.0.0.2" });
  await using plain = new Scopes(consul);
  await using tagged = new Scopes(consul, { taggedAddress: "wan" });
  const places = (scopes: Scopes): readonly string[] =>
    scopes.instances().map(({ address, port }) => `${address}:${port}`);
  for (const scopes of [plain, tagged]) await eventually("both", () => scopes.instances().length === 2);
  assert.deepEqual(places(plain), ["10.0.0.1:80", "10.0.0.2:80"]);
  assert.deepEqual(places(tagged), ["203.0.113.7:8080", "10.0.0.2:80"]);
});

test("tags that contradict each other or the metadata are told, and the instance stays as it was but for its health", {
  skip,
}, async () => {
  await using consul = await startConsul(requireTool("consul"));
  const check = { Check: { TTL: "1h", Status: "passing" } };
  await consul.register({ ...WEB, ...check, Tags: ["lateen.port=8080"] });
  await using scopes = new Scopes(consul);
  await scopes.only("there", ({ servicePort, healthy }) => servicePort === 8080 && healthy);
  const [registry] = scopes.registries;
  await consul.register({ ...WEB, ...check, Port: 81, Tags: ["lateen.port=8080", "lateen.port=9090"] });
  const told = await eventually("a problem", () => registry?.problems[0], 5_000);
  assert.match(told, /^web: dc1\/.*\/web-1: tag lateen\.port is given as both 8080 and 9090$/);
  await consul.put("/agent/check/fail/service:web-1");
  const kept = await scopes.only("its health", ({ healthy }) => !healthy);
  assert.deepEqual([kept.port, kept.servicePort], [80, 8080]);
  await consul.register({ ...WEB, Tags: ["lateen.port=1"], Meta: { "lateen-port": "2" } });
  await scopes.only("the metadata counts", ({ servicePort }) => servicePort === 2);
  await eventually("told", () => /where tag lateen\.port says 1/.test(registry?.problems[0] ?? ""));
  await consul.register({ ...WEB, Tags: ["lateen.port=2"] });
  await eventually("mended", () => registry?.problems.length === 0);
});

test("two datacenters are read from one Consul, each the region of its instances and with its own status", {
  skip,
}, async () => {
  const binary = requireTool("consul");
  const wan = "ports { serf_wan = 8302 }";
  await using here = await startConsul(binary, undefined, undefined, wan);
  const there = await startConsul(binary, undefined, undefined, `datacenter = "dc2" ${wan}`);
  await using closing = new AsyncDisposableStack();
  closing.use(there);
  await there.put(`/agent/join/${new URL(here.address).hostname}?wan=1`);
  await here.register(WEB);
  const far = { Address: "203.0.113.7", Port: 8080 };
  await there.register({ ...WEB, TaggedAddresses: { wan: far } });
  await there.register({ ...WEB, ID: "web-2", Address: "10.0.0.2", Tags: ["lateen.locality=eu/b"] });
  await using scopes = new Scopes(here, { datacenters: ["dc1", "dc2"] });
  await eventually("all", () => scopes.instances(0).length === 1 && scopes.instances(1).length === 2, 10_000);
  assert.deepEqual(
    scopes.registries.map(({ name }) => name),
    ["consul/dc1", "consul/dc2"],
  );
  const told = [0, 1].flatMap((scope) =>
    scopes.instances(scope).map(({ id, address, port, locality }) => [id, `${address}:${port}`, locality]),
  );
  assert.deepEqual(told, [
    [`dc1/${here.node}/web-1`, "10.0.0.1:80", "dc1"],
    [`dc2/${there.node}/web-1`, "203.0.113.7:8080", "dc2"],
    [`dc2/${there.node}/web-2`, "10.0.0.2:80", "eu/b"],
  ]);
  await there[Symbol.asyncDispose]();
  await eventually("dc2 is stale", () => scopes.registries[1]?.status.state === "stale", 20_000);
  assert.equal(scopes.registries[0]?.status.state, "current");
  assert.equal(scopes.instances(1).length, 2);
});

test("a token is read again from its file: one that is replaced counts with the next question", {
  skip,
}, async () => {
  const root = randomUUID();
  const tokens = `tokens { master = "${root}" default = "${root}" }`;
  const directory = await mkdtemp(join(tmpdir(), "lateen-consul-"));
  await using closing = new AsyncDisposableStack();
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, "token");
  await writeFile(tokenFile, `${randomUUID()}\n`);
  const acl = `acl { enabled = true default_policy = "deny" ${tokens} }`;
  await using consul = await startConsul(requireTool("consul"), undefined, undefined, acl);
  await using scopes = new Scopes(consul, { tokenFile });
  const [registry] = scopes.registries;
  const reason = await eventually("refused", () => {
    const status = registry?.status;
    return status?.state === "stale" && status.reason;
  });
  assert.match(reason, /403.*put a token that may read/);
  await writeFile(tokenFile, `${root}\n`);
  await eventually("current", () => registry?.status.state === "current", 10_000);
});
