import assert from "node:assert/strict";
import { test } from "node:test";
import { consulClient } from "../../../mesh/consul/consul-client.ts";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { findTool } from "../../../setup/find-tool.ts";
import { startConsul } from "../../../setup/run-consul.ts";
import { ConsulDouble } from "../../../test/fakes/consul-double.ts";
import {
  consulRegistry,
  fakeConsulSubject,
  realConsulSubject,
} from "../../../test/harness/consul-subjects.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { requireTool, skipWithout } from "../../../test/harness/tools.ts";
import { loadServerConfig } from "../../config.ts";
import { Reader, testRegistry } from "../registry.contract.ts";
import { ConsulRegistry } from "./consul-registry.ts";
import { consulScopes } from "./consul-scopes.ts";

const skip = skipWithout("consul");

testRegistry("consul, with a fake", fakeConsulSubject);
testRegistry("consul, with a real one", () => realConsulSubject(findTool("consul") ?? ""), { skip });

test("a service deregistered from a real Consul is gone within a second", { skip }, async () => {
  await using consul = await startConsul(requireTool("consul"));
  using registry = consulRegistry(consul.address);
  for (const id of ["a", "b", "c"]) {
    await consul.register({ ID: id, Name: "web", Address: `127.0.0.${id.charCodeAt(0)}`, Port: 80 });
  }
  await using reader = new Reader(registry);
  await eventually("all three are there", () => reader.ids(["consul"]).length === 3);
  const begun = performance.now();
  await consul.deregister("b");
  await eventually("b is gone", () => reader.ids(["consul"]).length === 2);
  assert.ok(performance.now() - begun < 1_000);
  assert.deepEqual(reader.ids(["consul"]), [`dc1/${consul.node}/a`, `dc1/${consul.node}/c`]);
});

test("a real Consul that came back without its data takes no instance away, and gives back what returns", {
  skip,
}, async () => {
  const binary = requireTool("consul");
  const first = await startConsul(binary);
  using registry = consulRegistry(first.address, { backoffMaxMs: 200, outageSettleMs: 1_000 });
  for (const id of ["a", "b", "c"]) await first.register({ ID: id, Name: `web-${id}`, Port: 80 });
  await using reader = new Reader(registry);
  await eventually("all three are there", () => reader.ids(["consul"]).length === 3);
  await first[Symbol.asyncDispose]();
  await eventually("the outage is told", () => registry.status.state === "stale");
  await using second = await startConsul(binary, undefined, first.address);
  await eventually("the loss is told", () => {
    const { status } = registry;
    return status.state === "stale" && /suddenly lists/.test(status.reason);
  });
  assert.equal(reader.ids(["consul"]).length, 3);
  for (const id of ["a", "b", "c"]) await second.register({ ID: id, Name: `web-${id}`, Port: 81 });
  await eventually("they are current", () => registry.status.state === "current");
  assert.deepEqual(
    reader.instances(["consul"]).map(({ port }) => port),
    [81, 81, 81],
  );
});

test("by contract with Consul Enterprise: each namespace that is named is read, under its name and in its partition", async () => {
  await using double = await ConsulDouble.start();
  await using stack = new AsyncDisposableStack();
  const instance = { node: "node-1", id: "web-1", service: "web", address: "10.0.0.1", port: 80 };
  for (const [index, namespace] of ["shop", "bank"].entries())
    double.scope({ datacenter: "dc1", namespace }).put({ ...instance, port: 80 + index });
  const flags = { consul: { address: double.address, namespaces: ["shop", "bank"], partition: "east" } };
  const { consul } = loadServerConfig({ environment: {}, flags });
  const scopes = consul === undefined ? [] : consulScopes(consul);
  const readers = scopes.map(({ name, client, reading }) => {
    const seams = { clock: systemClock, random: Math.random, logger: silentLogger };
    const opened = stack.use(consulClient(client));
    return stack.use(new Reader(new ConsulRegistry({ ...seams, name, reading, client: opened })));
  });
  await eventually("both", () => readers.every((reader) => reader.instances().length === 1));
  assert.deepEqual(
    scopes.map(({ name, client }) => [name, client.namespace, client.partition]),
    [
      ["consul/shop", "shop", "east"],
      ["consul/bank", "bank", "east"],
    ],
  );
  assert.deepEqual(
    readers.flatMap((reader) => reader.instances().map(({ id, namespace, port }) => [id, namespace, port])),
    [
      ["dc1..shop/node-1/web-1", "shop", 80],
      ["dc1..bank/node-1/web-1", "bank", 81],
    ],
  );
});
