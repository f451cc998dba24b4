import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CATALOG_READING } from "../../../mesh/consul/catalog-reading.ts";
import { consulClient } from "../../../mesh/consul/consul-client.ts";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { type RunningConsul, startConsul } from "../../../setup/run-consul.ts";
import { ConsulDouble } from "../../../test/fakes/consul-double.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { requireTool, skipWithout } from "../../../test/harness/tools.ts";
import { SetReader } from "../discovery.contract.ts";
import type { LocalService } from "../discovery.ts";
import { ConsulDiscovery, type ConsulDiscoveryOptions } from "./consul-discovery.ts";

const skip = skipWithout("consul");

const WEB = { ID: "web-1", Name: "web", Address: "127.0.0.1", Port: 8080 };
const INJECT = "lateen.inject=true";

interface Watched extends AsyncDisposable {
  readonly discovery: ConsulDiscovery;
  service(id: string): LocalService | undefined;
  ids(): readonly string[] | undefined;
  in(namespace: string): LocalService | undefined;
}

function watch(address: string, options: Partial<ConsulDiscoveryOptions> = {}): Watched {
  const stack = new AsyncDisposableStack();
  const client = stack.use(consulClient({ address }));
  const discovery = new ConsulDiscovery({
    client,
    address: undefined,
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
    timing: { refillMs: 20, backoffFirstMs: 20, backoffMaxMs: 100 },
    ...options,
  });
  const reader = stack.use(new SetReader(discovery));
  return {
    discovery,
    service: (id) => reader.latest?.find((one) => one.id === id),
    ids: () => reader.ids(),
    in: (namespace) => reader.latest?.find((one) => one.namespace === namespace),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function withConsul(story: (consul: RunningConsul) => Promise<void>): Promise<void> {
  await using consul = await startConsul(requireTool("consul"));
  await story(consul);
}

test("tags that contradict each other are a finding of their service, and it stays as it was, also over a restart", {
  skip,
}, async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "lateen-agent-"));
  await using closing = new AsyncDisposableStack();
  closing.defer(() => rm(stateDir, { recursive: true, force: true }));
  await withConsul(async (consul) => {
    await consul.register({
      ...WEB,
      Tags: [INJECT, "lateen.port=80"],
      Check: { TTL: "1h", Status: "passing" },
    });
    const contradictory = {
      ...WEB,
      Port: 9999,
      Tags: ["lateen.inject=false", INJECT, "lateen.port=80", "lateen.port=81"],
      Check: { TTL: "1h", Status: "passing" },
    };
    {
      await using agent = watch(consul.address, { stateDir });
      await eventually("web", () => agent.service("web-1"));
      await consul.register(contradictory);
      await eventually("two findings", () => agent.discovery.findings.length === 2, 5_000);
      assert.deepEqual(
        agent.discovery.findings.map(({ code, severity, workload, message }) => [
          code,
          severity,
          workload,
          message,
        ]),
        [
          [
            "host.tags",
            "error",
            "default/web-1",
            "Consul's registration web-1: tag lateen.inject is given as both false and true",
          ],
          [
            "host.tags",
            "error",
            "default/web-1",
            "Consul's registration web-1: tag lateen.port is given as both 80 and 81",
          ],
        ],
      );
      assert.equal(agent.service("web-1")?.address.port, 8080);
    }
    await using restarted = watch(consul.address, { stateDir });
    const kept = await eventually("it is still there", () => restarted.service("web-1"));
    assert.deepEqual([kept.address.port, kept.servicePort], [8080, 80]);
    await consul.put("/agent/check/fail/service:web-1");
    await eventually("its health counts", () => restarted.service("web-1")?.healthy === false, 5_000);
    await consul.register({ ...WEB, Port: 9999, Tags: [INJECT] });
    await eventually("mended", () => restarted.service("web-1")?.address.port === 9999, 5_000);
    assert.deepEqual(restarted.discovery.findings, []);
  });
});

test("what is taken away while the agent is down is not there afterwards", { skip }, async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "lateen-agent-"));
  await using closing = new AsyncDisposableStack();
  closing.defer(() => rm(stateDir, { recursive: true, force: true }));
  await withConsul(async (consul) => {
    await consul.register({ ...WEB, Tags: [INJECT] });
    {
      await using agent = watch(consul.address, { stateDir });
      await eventually("web", () => agent.service("web-1"));
    }
    await consul.deregister("web-1");
    await using restarted = watch(consul.address, { stateDir });
    await eventually("nothing", () => restarted.ids()?.length === 0, 5_000);
  });
});

test("metadata that contradicts a tag counts, and the difference is a finding", { skip }, async () => {
  await withConsul(async (consul) => {
    await consul.register({ ...WEB, Tags: [INJECT, "lateen.port=80"], Meta: { "lateen-port": "81" } });
    await using agent = watch(consul.address);
    assert.equal((await eventually("web", () => agent.service("web-1"))).servicePort, 81);
    const [finding] = agent.discovery.findings;
    assert.deepEqual([finding?.code, finding?.severity], ["host.tags", "warning"]);
  });
});

test("maintenance of a service, or of the node, makes it unhealthy, and a warning does by setting", {
  skip,
}, async () => {
  await withConsul(async (consul) => {
    await consul.register({ ...WEB, Tags: [INJECT], Check: { TTL: "1h", Status: "passing" } });
    await using agent = watch(consul.address);
    await using strict = watch(consul.address, { reading: { ...CATALOG_READING, warnings: "unhealthy" } });
    const becomes = (of: Watched, healthy: boolean): Promise<unknown> =>
      eventually(`healthy: ${healthy}`, () => of.service("web-1")?.healthy === healthy, 5_000);
    for (const path of ["/agent/service/maintenance/web-1", "/agent/maintenance"]) {
      await becomes(agent, true);
      await consul.put(`${path}?enable=true`);
      await becomes(agent, false);
      await consul.put(`${path}?enable=false`);
    }
    await becomes(agent, true);
    await consul.put("/agent/check/warn/service:web-1");
    await becomes(strict, false);
    assert.equal(agent.service("web-1")?.healthy, true);
  });
});

test("in opt-out every service with a port is taken that does not say no, in the mesh's own words", {
  skip,
}, async () => {
  await withConsul(async (consul) => {
    await consul.register({ ...WEB });
    await consul.register({ ...WEB, ID: "out-1", Name: "out", Port: 8081, Tags: ["acme.inject=false"] });
    await consul.register({
      ...WEB,
      ID: "other-1",
      Name: "other",
      Port: 8082,
      Tags: ["lateen.inject=false"],
    });
    await consul.register({ ID: "portless", Name: "portless" });
    await using agent = watch(consul.address, {
      reading: { ...CATALOG_READING, vocabulary: { prefix: "acme", optOut: true } },
    });
    await eventually("both", () => agent.ids()?.join() === "other-1,web-1");
    assert.deepEqual(agent.discovery.findings, []);
  });
});

test("the upstreams of a Consul sidecar are its service's own where the settings say so, and else nobody's", {
  skip,
}, async () => {
  await withConsul(async (consul) => {
    await consul.register({ ...WEB, Tags: [INJECT, "lateen.upstreams=ratings:80@9191"] });
    await consul.register({
      ID: "web-1-sidecar-proxy",
      Name: "web-sidecar-proxy",
      Kind: "connect-proxy",
      Port: 21_000,
      Tags: [INJECT],
      Proxy: {
        DestinationServiceName: "web",
        DestinationServiceID: "web-1",
        Upstreams: [
          { DestinationName: "details", LocalBindPort: 9192 },
          { DestinationName: "mail", LocalBindPort: 9191 },
          { DestinationType: "prepared_query", DestinationName: "nearest", LocalBindPort: 9193 },
        ],
      },
    });
    await using skipping = watch(consul.address);
    await using adopting = watch(consul.address, { adoptsSidecars: true });
    const own = { host: "ratings", port: 80, bindAddress: undefined, bindPort: 9191 };
    assert.deepEqual((await eventually("web", () => skipping.service("web-1"))).upstreams, [own]);
    const web = await eventually("web", () => adopting.service("web-1"));
    assert.deepEqual(web.upstreams, [
      own,
      { host: "details", port: 0, bindAddress: undefined, bindPort: 9192 },
    ]);
    assert.deepEqual(adopting.ids(), ["web-1"]);
    assert.deepEqual(
      adopting.discovery.findings.map(({ message }) => message.replace(/^.*Proxy/, "Proxy")),
      [
        "Proxy.Upstreams[1] binds port 9191, as another upstream of the service does: that one counts",
        "Proxy.Upstreams[2] is no upstream that can be had here: it wants a service and LocalBindPort",
      ],
    );
  });
});

test("by contract with Consul Enterprise: the services of each namespace that is named are taken, and changes of each are seen", async () => {
  await using double = await ConsulDouble.start();
  const instance = {
    node: "node-1",
    id: "web-1",
    service: "web",
    address: "10.0.0.1",
    port: 80,
    tags: [INJECT],
  };
  const [shop, bank] = ["shop", "bank"].map((namespace) => double.scope({ datacenter: "dc1", namespace }));
  shop?.put(instance);
  bank?.put({ ...instance, port: 81 });
  double.catalog.put({ ...instance, id: "default-1" });
  await using agent = watch(double.address, { namespaces: ["shop", "bank"] });
  await eventually("both", () => agent.ids()?.length === 2);
  const places = ["shop", "bank"].map((namespace) => [
    agent.in(namespace)?.catalog?.instanceId,
    agent.in(namespace)?.address.port,
  ]);
  assert.deepEqual(places, [
    ["dc1..shop/node-1/web-1", 80],
    ["dc1..bank/node-1/web-1", 81],
  ]);
  bank?.put({ ...instance, port: 82 });
  await eventually("a change in the second", () => agent.in("bank")?.address.port === 82);
});
