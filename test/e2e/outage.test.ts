import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { List, ObjectReply, WorkloadReply } from "../../mesh/admin-api/replies.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import { versions, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
] as const;

/** All to one version, and a header that tells that the route is in force. */
const to = (subset: string): string =>
  virtualService("reviews", {
    http: [
      {
        headers: { request: { set: { "x-routed": subset } } },
        route: [{ destination: { host: "reviews", subset } }],
      },
    ],
  });

describeMesh("outages", { hosts: HOSTS, agentProcesses: ["caller", "reviews-v1"] }, (mesh) => {
  const routed = async (): Promise<unknown> =>
    (await mesh().call("caller", "reviews")).echo?.headers["x-routed"];
  const inForce = async (subset: string): Promise<void> => {
    await mesh().apply(versions("reviews", "v1", "v2") + to(subset));
    await eventually(`routes to ${subset}`, async () => (await routed()) === subset);
  };
  /** Some requests' worth of time. */
  const moment = (): Promise<void> => systemClock.sleep(300, AbortSignal.timeout(1000));

  test("without the server traffic goes on, and with it back changes go through again", async () => {
    await inForce("v1");
    const { calls, failures } = await mesh().underTraffic("caller", "reviews", async () => {
      await mesh().server.stop();
      await moment();
      assert.equal(await routed(), "v1");
      await mesh().server.start();
      await mesh().synced();
      await inForce("v2");
    });
    assert.deepEqual(failures, []);
    assert.ok(calls > 50, `only ${calls} calls`);
  });

  test("a server that starts again knows objects, placements and tokens as they were", async () => {
    await inForce("v1");
    const token = await mesh().token({ node: "late" });
    const before = await facts(mesh());
    await mesh().server.stop();
    await mesh().server.start();
    const after = await facts(mesh());
    assert.deepEqual(after, before);
    await inForce("v2");
    const changed = await facts(mesh());
    assert.deepEqual(changed.created, before.created, "an update reset the time of creation");
    const tokens = await mesh().cli(["token", "list", "-o", "json"]);
    assert.match(tokens.stdout, /"late"/);
    assert.ok(!tokens.stdout.includes(token.slice(-43)));
  });

  test("a route whose newest revision leads nowhere stays as it was over a restart, until that leads somewhere", async () => {
    await mesh().apply(versions("reviews", "v1") + to("v1"));
    await eventually("routes to v1", async () => (await routed()) === "v1");
    await mesh().apply(to("v2"));
    for (const restarted of [false, true]) {
      if (restarted) {
        await mesh().server.stop();
        await mesh().server.start();
        await mesh().synced();
      }
      const stays = /no DestinationRule .* subset v2 of .*; revision \d+, .* stays in force/;
      await eventually("the server says so", async () => stays.test((await mesh().cli(["analyze"])).stdout));
      const explained = await mesh().cli(["explain", "--from", "caller", "--to", "http://reviews:9080/"]);
      assert.match(explained.stdout, stays);
      assert.deepEqual(await mesh().tally(10, "caller", "reviews"), { "reviews-v1": 10 });
      assert.equal(await routed(), "v1");
    }
    await mesh().apply(versions("reviews", "v1", "v2"));
    await eventually("routes to v2", async () => (await routed()) === "v2");
    assert.equal(await keptRevisions(mesh()), 0);

    await mesh().apply(to("v3"));
    assert.equal(await keptRevisions(mesh()), 1);
    await mesh().delete("VirtualService", "reviews");
    assert.equal(await keptRevisions(mesh()), 0);
    await mesh().apply(to("v3"));
    await eventually("what is created anew has no earlier revision", async () => {
      const { status } = await mesh().call("caller", "reviews");
      return status === 503;
    });
  });

  test("agents and data planes that start again without the server serve from disk", async () => {
    await inForce("v2");
    await mesh().server.stop();
    for (const name of ["reviews-v2", "caller"]) {
      const host = mesh().host(name);
      const before = await host.serving();
      await host.stopAgent();
      if (name === "caller") await host.startAgentProcess();
      else host.startAgent();
      const after = await host.serving();
      assert.notEqual(after.dataPlane.pid, before.dataPlane.pid);
      assert.equal((await host.status()).server.connected, false);
      await eventually("calls from disk", async () => (await routed()) === "v2", 10_000);
    }
    assert.deepEqual(await mesh().tally(10, "caller", "reviews"), { "reviews-v2": 10 });
    await mesh().server.start();
    await mesh().synced();
    await inForce("v1");
  });

  test("a data plane that is killed comes back as it was", async () => {
    await inForce("v1");
    for (const name of ["caller", "reviews-v1"]) {
      const host = mesh().host(name);
      const { pid } = (await host.serving()).dataPlane;
      process.kill(pid ?? 0, "SIGKILL");
      const after = await host.workloadStatus(
        "has a new data plane",
        ({ state, dataPlane }) => state === "serving" && dataPlane.pid !== pid,
      );
      assert.notEqual(after.dataPlane.pid, undefined);
      await eventually("calls again", async () => (await routed()) === "v1", 10_000);
    }
  });

  test("an agent that is killed stops no traffic, and the next one takes its data plane over", async () => {
    await inForce("v1");
    const host = mesh().host("caller");
    const before = await host.serving();
    const { calls, failures } = await mesh().underTraffic("caller", "reviews", async () => {
      await host.killAgentProcess();
      await moment();
      await host.startAgentProcess();
      await host.serving();
      await mesh().synced();
      await inForce("v2");
    });
    assert.deepEqual(failures, []);
    assert.ok(calls > 50, `only ${calls} calls`);
    assert.equal((await host.serving()).dataPlane.pid, before.dataPlane.pid);
    assert.match(host.log.text, /took over the data plane/);
  });

  test("agents that are replaced on demand stop no traffic, nor do data planes of another version that hand over", async () => {
    await inForce("v1");
    for (const name of ["reviews-v1", "caller"]) {
      const host = mesh().host(name);
      const before = (await host.serving()).dataPlane.pid;
      const record = join(host.runDir, `default.${name}`, "process.json");
      const { calls, failures } = await mesh().underTraffic("caller", "reviews", async () => {
        await host.killAgentProcess("SIGUSR2");
        const { version, ...rest } = JSON.parse(await readFile(record, "utf8")) as { version?: string };
        // Envoy's are kept: they have none.
        if (version !== undefined) await writeFile(record, JSON.stringify({ ...rest, version: "former" }));
        await host.startAgentProcess();
        await host.serving();
        await mesh().synced();
        await moment();
      });
      assert.deepEqual(failures, [], name);
      assert.ok(calls > 50, `only ${calls} calls`);
      const after = (await host.serving()).dataPlane.pid;
      assert.equal(after !== before, mesh().dataPlane === "builtin");
    }
  });
});

/** How many revisions are on disk besides the newest ones. */
async function keptRevisions({ directory }: Mesh): Promise<number> {
  using database = new DatabaseSync(join(directory, "server", "lateen.db"), { readOnly: true });
  return Number(database.prepare("SELECT count(written) AS n FROM config_kept").get()?.["n"]);
}

/** What a restart must not change. */
async function facts(mesh: Mesh): Promise<{ readonly created: unknown; readonly placements: unknown }> {
  const { items: objects } = await mesh.admin.get<List<ObjectReply>>("/v1/objects/VirtualService");
  const { items: rules } = await mesh.admin.get<List<ObjectReply>>("/v1/objects/DestinationRule");
  const { items: workloads } = await mesh.admin.get<List<WorkloadReply>>("/v1/workloads");
  return {
    created: [...objects, ...rules].map(({ kind, name, createdAt }) => ({ kind, name, createdAt })),
    placements: workloads.map(({ name, spiffeId, agent, registeredAt }) => ({
      name,
      spiffeId,
      agent,
      registeredAt,
    })),
  };
}
