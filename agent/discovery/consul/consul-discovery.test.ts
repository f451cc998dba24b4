import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type ConsulClient, consulClient } from "../../../mesh/consul/consul-client.ts";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { type Logger, silentLogger } from "../../../mesh/telemetry/logger.ts";
import { findTool } from "../../../setup/find-tool.ts";
import { startConsul } from "../../../setup/run-consul.ts";
import { ConsulDouble } from "../../../test/fakes/consul-double.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { skipWithout } from "../../../test/harness/tools.ts";
import { type DiscoverySubject, type GivenService, SetReader, testDiscovery } from "../discovery.contract.ts";
import { ConsulDiscovery } from "./consul-discovery.ts";

const QUICK = { refillMs: 10, backoffFirstMs: 5, backoffMaxMs: 40, patienceMs: 300 };

function discoveryOf(client: ConsulClient, address?: string, logger: Logger = silentLogger): ConsulDiscovery {
  return new ConsulDiscovery({
    client,
    address,
    clock: systemClock,
    random: Math.random,
    logger,
    timing: QUICK,
  });
}

function tagsOf(service: GivenService): readonly string[] {
  return [
    "lateen.inject=true",
    `lateen.protocol=${service.protocol}`,
    `lateen.version=${service.version}`,
    `lateen.namespace=${service.namespace}`,
    `lateen.sa=${service.serviceAccount}`,
    `lateen.port=${service.servicePort}`,
    `lateen.upstreams=${service.upstreams}`,
  ];
}

async function fakeSubject(): Promise<DiscoverySubject> {
  const double = await ConsulDouble.start();
  const client = consulClient({ address: double.address });
  return {
    discovery: discoveryOf(client, "127.0.0.1"),
    put: async (service) => double.catalog.put({ ...service, node: "node-1", tags: tagsOf(service) }),
    remove: async (id) => void double.catalog.remove("node-1", id),
    breakSource: async () => double.down(),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

async function realSubject(): Promise<DiscoverySubject> {
  const consul = await startConsul(findTool("consul") ?? "");
  const client = consulClient({ address: consul.address });
  return {
    discovery: discoveryOf(client, "127.0.0.1"),
    put: async (given) => {
      const { id: ID, service: Name, address: Address, port: Port } = given;
      await consul.register({ ID, Name, Address, Port, Tags: tagsOf(given) });
    },
    remove: (id) => consul.deregister(id),
    breakSource: async () => consul[Symbol.asyncDispose](),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await consul[Symbol.asyncDispose]();
    },
  };
}

testDiscovery("consul, with a fake", fakeSubject);
testDiscovery("consul, with a real one", realSubject, { skip: skipWithout("consul") });

const INJECT = ["lateen.inject=true"];

function put(
  double: ConsulDouble,
  id: string,
  parts: Partial<Parameters<typeof double.catalog.put>[0]> = {},
): void {
  const service = id.split("-", 1)[0] ?? "";
  double.catalog.put({
    node: "node-1",
    id,
    service,
    address: "10.0.0.1",
    port: 9080,
    tags: INJECT,
    ...parts,
  });
}

test("only services that want to be in the mesh are taken, and no sidecar of Consul's own", async () => {
  await using double = await ConsulDouble.start();
  put(double, "web-1");
  put(double, "plain-1", { tags: ["primary"] });
  put(double, "off-1", { tags: ["lateen.inject=false"] });
  put(double, "web-1-sidecar-proxy", { kind: "connect-proxy" });
  put(double, "meta-1", { tags: [], meta: { "lateen-inject": "true" } });
  using client = consulClient({ address: double.address });
  await using reader = new SetReader(discoveryOf(client));
  await eventually("a set", () => reader.latest);
  assert.deepEqual(reader.ids(), ["meta-1", "web-1"]);
  assert.deepEqual(reader.latest?.[1]?.catalog, { registry: "consul", instanceId: "dc1/node-1/web-1" });
});

test("what a service does not say has its default", async () => {
  await using double = await ConsulDouble.start();
  put(double, "web-1", { address: "" });
  double.catalog.addNode("node-1", "10.1.1.1");
  using client = consulClient({ address: double.address });
  await using reader = new SetReader(discoveryOf(client));
  await eventually("a set", () => reader.latest);
  const service = reader.latest?.[0];
  assert.equal(service?.namespace, "default");
  assert.equal(service?.serviceAccount, "web");
  assert.equal(service?.protocol, "tcp");
  assert.equal(service?.servicePort, 9080);
  assert.deepEqual(service?.address, { address: "10.1.1.1", port: 9080 });
});

test("a group is named by a tag, and may say what Consul does not", async () => {
  await using double = await ConsulDouble.start();
  put(double, "web-1", { tags: [...INJECT, "lateen.group=vms", "lateen.sa=shop"] });
  put(double, "web-2", {
    tags: INJECT,
    meta: { "lateen-group": "vms", "lateen-label-app": "x", "lateen-weight": "2" },
  });
  using client = consulClient({ address: double.address });
  await using reader = new SetReader(discoveryOf(client));
  await eventually("a set", () => reader.latest);
  assert.deepEqual(
    reader.latest?.map(({ group }) => group),
    [
      { name: "vms", defaulted: ["weight", "app"] },
      { name: "vms", defaulted: ["serviceAccount"] },
    ],
  );
});

test("a check that becomes critical makes the service unhealthy", async () => {
  await using double = await ConsulDouble.start();
  put(double, "web-1");
  using client = consulClient({ address: double.address });
  await using reader = new SetReader(discoveryOf(client));
  await eventually("healthy", () => reader.latest?.[0]?.healthy === true);
  put(double, "web-1", { status: "critical" });
  await eventually("unhealthy", () => reader.latest?.[0]?.healthy === false);
  put(double, "web-1", { status: "warning" });
  await eventually("healthy again", () => reader.latest?.[0]?.healthy === true);
});

test("a service whose tags become wrong stays as it was, and the log says why", async () => {
  await using double = await ConsulDouble.start();
  const lines: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (message: string, fields?: object) => lines.push(`${message} ${JSON.stringify(fields)}`),
  };
  put(double, "web-1", { port: 80 });
  put(double, "new-1", { tags: [...INJECT, "lateen.sa=../admin"] });
  using client = consulClient({ address: double.address });
  await using reader = new SetReader(discoveryOf(client, undefined, logger));
  await eventually("a set", () => reader.latest);
  assert.deepEqual(reader.ids(), ["web-1"]);
  put(double, "web-1", { port: 81, tags: [...INJECT, "lateen.port=http"] });
  await eventually("it is told", () => lines.some((line) => /web-1.*lateen.port must be a port/.test(line)));
  assert.ok(lines.some((line) => /new-1.*lateen.sa must be/.test(line)));
  assert.equal(reader.latest?.[0]?.address.port, 80);
  put(double, "web-1", { port: 82 });
  await eventually("mended", () => reader.latest?.[0]?.address.port === 82);
});

test("without its servers the local agent still says what is here", async () => {
  await using double = await ConsulDouble.start();
  put(double, "web-1");
  double.script(/^\/(catalog|health)\//, { kind: "status", status: 500, body: "No cluster leader" }, 10_000);
  using client = consulClient({ address: double.address });
  await using reader = new SetReader(discoveryOf(client));
  await eventually("a set", () => reader.ids()?.join() === "web-1");
  put(double, "web-2");
  await eventually("a change is found by asking again", () => reader.ids()?.join() === "web-1,web-2");
});

test("an agent that comes back without its data takes nothing away, until each is back", async () => {
  await using double = await ConsulDouble.start();
  for (const id of ["web-1", "api-1", "db-1"]) put(double, id);
  using client = consulClient({ address: double.address });
  await using reader = new SetReader(discoveryOf(client));
  await eventually("all", () => reader.latest?.length === 3);
  double.down();
  double.catalog.wipe();
  double.up();
  const before = double.requestsTo(/agent\/services/);
  await eventually("asked again", () => double.requestsTo(/agent\/services/) > before);
  for (const id of ["web-1", "api-1"]) put(double, id, { port: 9999 });
  await eventually(
    "two are back",
    () => reader.latest?.filter(({ address }) => address.port === 9999).length === 2,
  );
  assert.equal(reader.latest?.length, 3);
  assert.ok(reader.sets.every((set) => set.length === 3));
  put(double, "db-1");
  await delay(50);
  double.catalog.remove("node-1", "db-1");
  await eventually("then removals count again", () => reader.latest?.length === 2);
});

test("a quiet agent is hardly asked", async () => {
  await using double = await ConsulDouble.start();
  put(double, "web-1");
  using client = consulClient({ address: double.address });
  await using reader = new SetReader(discoveryOf(client));
  await eventually("a set", () => reader.latest);
  await delay(150);
  assert.ok(double.requests.length <= 7, `${double.requests.length} requests`);
});
