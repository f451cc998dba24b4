import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { eventually } from "../harness/eventually.ts";
import { DATA_PLANES, type Mesh, startMesh } from "../harness/mesh.ts";
import { tlsCall } from "../harness/mesh-calls.ts";
import type { MeshHost } from "../harness/mesh-host.ts";
import { peerAuthentication } from "../harness/mesh-policies.ts";
import { HTTP_PORT } from "../harness/mesh-topology.ts";
import { skipWithout } from "../harness/tools.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
] as const;

/** Of every certificate, an agent's own among them. */
const LIFE_S = 60;
const OUTAGE_MS = 0.95 * LIFE_S * 1000;
const RECOVERY_MS = 30_000;
const LIMIT_MS = 240_000;

const sleep = (ms: number): Promise<void> => systemClock.sleep(ms, new AbortController().signal);
const leafOf = async (host: MeshHost): Promise<X509Certificate> =>
  new X509Certificate((await host.svid()).cert);

describe("outages that last", { concurrency: true }, () => {
  for (const dataPlane of DATA_PLANES) {
    const skip = dataPlane === "envoy" && skipWithout("envoy");
    test(`${dataPlane}: traffic survives 95 % of a certificate's life, is refused beyond it, and comes back by itself`, {
      skip,
      timeout: LIMIT_MS,
    }, async (t) => {
      const lives = { leafTtlSeconds: LIFE_S, agentTtlSeconds: LIFE_S };
      await using mesh = await startMesh({ dataPlane, hosts: HOSTS, agentProcesses: ["caller"], ...lives });
      await mesh.apply(peerAuthentication("STRICT"));
      await freshCertificates(mesh);
      await mesh.server.stop();
      const gone = performance.now();
      const until = (share: number): Promise<void> => sleep(gone + share * OUTAGE_MS - performance.now());

      const { calls, failures } = await mesh.underTraffic("caller", "reviews", async () => {
        await until(0.3);
        await mesh.host("caller").killAgentProcess();
        await mesh.host("caller").startAgentProcess();
        await mesh.host("caller").serving();
        await until(0.6);
        await mesh.host("reviews-v2").stopAgent();
        mesh.host("reviews-v2").startAgent();
        await mesh.host("reviews-v2").serving();
        await until(1);
      });
      assert.deepEqual(failures, []);
      assert.ok(performance.now() - gone >= OUTAGE_MS);
      t.diagnostic(`${calls} calls in ${OUTAGE_MS} ms without a server: none failed`);
      assert.ok(calls > 1_000, `only ${calls} calls`);

      await expired(mesh);
      await refused(mesh);

      await mesh.server.start();
      const back = performance.now();
      await eventually("calls again", async () => (await callOf(mesh)) === 200, RECOVERY_MS);
      t.diagnostic(`calls again ${Math.round(performance.now() - back)} ms after the server`);
      await Promise.all(
        mesh.hosts.map(async (host) =>
          eventually(
            `${host.spec.name} has a certificate`,
            async () => {
              return (await leafOf(host)).validToDate.getTime() > Date.now();
            },
            RECOVERY_MS,
          ),
        ),
      );
      assert.ok(performance.now() - back <= RECOVERY_MS);
      assert.equal((await mesh.tally(20, "caller", "reviews"))["reviews-v1"] !== undefined, true);
    });
  }
});

/** Starts every agent anew without what it holds, so that all certificates begin their lives together. */
async function freshCertificates(mesh: Mesh): Promise<void> {
  await Promise.all(
    mesh.hosts.map(async (host) => {
      await host.stopAgent();
      await rm(join(host.stateDir, "workloads"), { recursive: true, force: true });
      if (host.spec.name === "caller") await host.startAgentProcess();
      else host.startAgent();
      await host.serving();
    }),
  );
  await eventually("calls", async () => (await callOf(mesh)) === 200, 10_000);
}

async function callOf(mesh: Mesh): Promise<number> {
  return (await mesh.call("caller", "reviews")).status;
}

async function expired(mesh: Mesh): Promise<void> {
  const ends = await Promise.all(mesh.hosts.map(async (host) => (await leafOf(host)).validToDate.getTime()));
  await sleep(Math.max(...ends) - Date.now() + 1_500);
}

/** A new connection, by whoever it is made, meets a certificate that does not hold any more. */
async function refused(mesh: Mesh): Promise<void> {
  const { address } = mesh.host("reviews-v1").spec;
  const { status } = await tlsCall(address, HTTP_PORT, await mesh.host("caller").svid());
  assert.equal(status, 0, "a certificate that has expired was taken");
  const { pid } = (await mesh.host("caller").status()).workloads[0]?.dataPlane ?? {};
  process.kill(pid ?? 0, "SIGKILL");
  await sleep(3_000);
  assert.notEqual(await callOf(mesh), 200);
}
