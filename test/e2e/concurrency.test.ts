import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkloadStatus } from "../../mesh/admin-api/agent-status.ts";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import type { MeshHost } from "../harness/mesh-host.ts";
import { meshConfig } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;
const OPTIONS = { hosts: HOSTS, agentProcesses: ["caller", "reviews-v1"] };

/** A successor starts, gets its configuration and takes over: seconds on a busy machine. */
const WITHIN_MS = 30_000;

const say = (mesh: Mesh, concurrency: number): Promise<void> =>
  mesh.apply(meshConfig({ defaultConfig: { concurrency } }));

/** Each host's data plane serves, has so many threads by its own account, and will have so many. */
async function have(mesh: Mesh, now: number, next: number = now): Promise<readonly WorkloadStatus[]> {
  return await Promise.all(
    mesh.hosts.map(async (host) => {
      const status = await host.workloadStatus(
        `has ${now} threads, and ${next} next`,
        ({ state, dataPlane: { threads } }) =>
          state === "serving" && threads?.now === now && threads.next === next,
        WITHIN_MS,
      );
      await eventually(`${host.spec.name} counts ${now}`, async () => (await counted(host)) === now);
      return status;
    }),
  );
}

/** A proxy with one worker has no series of its own for that. */
async function counted(host: MeshHost): Promise<number> {
  const metrics = await host.askProxy("/stats/prometheus").catch(() => "");
  return Number(/^envoy_server_concurrency(?:\{\})? (\d+)$/m.exec(metrics)?.[1] ?? (metrics && 1));
}

async function calls(mesh: Mesh): Promise<void> {
  await eventually("calls", async () => (await mesh.call("caller", "reviews")).status === 200, 10_000);
}

describeMesh("threads of data planes that hand over", { ...OPTIONS, dataPlanes: ["builtin"] }, (mesh) => {
  test("another concurrency costs no call, and is what proxies start with while the server is away", async () => {
    await say(mesh(), 1);
    await have(mesh(), 1);
    await calls(mesh());
    const traffic = await mesh().underTraffic("caller", "reviews", async () => {
      await say(mesh(), 2);
      await have(mesh(), 2);
      await delay(500);
      await say(mesh(), 1);
      await have(mesh(), 1);
      await delay(500);
      await say(mesh(), 2);
      await have(mesh(), 2);
      await delay(500);
    });
    assert.deepEqual(traffic.failures, []);
    assert.ok(traffic.calls > 100, `only ${traffic.calls} calls`);

    await mesh().server.stop();
    for (const host of mesh().hosts) {
      await host.stopAgent();
      await host.startAgentProcess();
      await host.serving();
      assert.equal((await host.status()).server.connected, false);
    }
    const alone = await have(mesh(), 2);
    await calls(mesh());
    await mesh().server.start();
    await mesh().synced();
    await calls(mesh());
    assert.deepEqual(pidsOf(await have(mesh(), 2)), pidsOf(alone), "the server says the same as before");
  });
});

describeMesh("threads of data planes that do not", { ...OPTIONS, dataPlanes: ["envoy"] }, (mesh) => {
  test("another concurrency is told of, and taken at the next start", async () => {
    const before = await have(mesh(), 2);
    await say(mesh(), 3);
    assert.deepEqual(pidsOf(await have(mesh(), 2, 3)), pidsOf(before));
    for (const { log } of mesh().hosts) assert.equal(log.text.split("takes it at its next start").length, 2);
    for (const pid of pidsOf(before)) process.kill(pid, "SIGKILL");
    await have(mesh(), 3);
    await calls(mesh());
  });
});

function pidsOf(statuses: readonly WorkloadStatus[]): readonly number[] {
  return statuses.map(({ dataPlane }) => dataPlane.pid ?? 0);
}
