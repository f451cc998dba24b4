import assert from "node:assert/strict";
import { test } from "node:test";
import { findTool } from "../../../setup/find-tool.ts";
import { startConsul } from "../../../setup/run-consul.ts";
import {
  consulRegistry,
  fakeConsulSubject,
  realConsulSubject,
} from "../../../test/harness/consul-subjects.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { requireTool, skipWithout } from "../../../test/harness/tools.ts";
import { Reader, testRegistry } from "../registry.contract.ts";

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
