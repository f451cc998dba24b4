import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { CaReply } from "../../mesh/admin-api/ca-replies.ts";
import { authorityKeyId, readCertificateFacts } from "../../mesh/identity/certificate-facts.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import { tlsCall } from "../harness/mesh-calls.ts";
import { peerAuthentication } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { HTTP_PORT } from "../harness/mesh-topology.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "reviews-v2", service: "reviews", version: "v2" },
] as const;

/** An agent that is away for longer than this is not waited for. */
const AWAY_MS = 5_000;
const options = {
  hosts: HOSTS,
  agentProcesses: ["reviews-v2"],
  rotation: { renewWithinSeconds: 2, awayAfterSeconds: AWAY_MS / 1000 },
};

describeMesh("CA rotation", options, (mesh) => {
  test("a whole rotation fails no call and no handshake, with an agent away and the server restarted in it", async (t) => {
    await mesh().apply(peerAuthentication("STRICT"));
    const first = await status(mesh());
    const started = performance.now();
    let shaken = { handshakes: 0, failures: [] as readonly string[] };
    const { calls, failures } = await mesh().underTraffic(
      "caller",
      "reviews",
      async () => {
        const handshakes = shakeHandsAllTheTime(mesh());
        await walk(mesh());
        shaken = await handshakes.stop();
      },
      8,
    );
    const seconds = (performance.now() - started) / 1000;
    assert.deepEqual(failures, []);
    assert.deepEqual(shaken.failures, []);
    // Traffic all the time, on however slow a machine.
    assert.ok(calls > 200 && shaken.handshakes > 30, `${calls} calls, ${shaken.handshakes} handshakes`);
    t.diagnostic(`${calls} calls (${Math.round(calls / seconds)}/s), ${shaken.handshakes} handshakes`);
    const last = await status(mesh());
    assert.notEqual(last.authorities[0]?.id, first.authorities[0]?.id);
    assert.equal(last.authorities.length, 1);
    for (const { spec } of mesh().hosts) {
      assert.equal((await onDisk(mesh(), spec.name)).svid, last.authorities[0]?.id, spec.name);
    }
  });
});

async function walk(mesh: Mesh): Promise<void> {
  const away = mesh.host("reviews-v2");
  await away.killAgentProcess();
  await step(mesh, "prepare");
  await mesh.server.stop();
  await mesh.server.start();
  await step(mesh, "activate");
  await step(mesh, "taint");
  const { next } = await status(mesh);
  assert.equal(next?.step, "revoke");
  await away.startAgentProcess();
  await eventually("it renews", async () => {
    const { bundle, svid } = await onDisk(mesh, "reviews-v2");
    return bundle.retiring.length > 0 && !bundle.retiring.includes(svid);
  });
  await step(mesh, "revoke");
  // With the old root gone everywhere, all of it once more.
  await eventually("one root on every host", async () => {
    const bundles = await Promise.all(mesh.hosts.map(({ spec }) => onDisk(mesh, spec.name)));
    return bundles.every(({ bundle }) => bundle.roots.length === 1);
  });
  await systemClock.sleep(300, AbortSignal.timeout(1000));
}

/** By command, as an operator does it: as soon as the hosts are ready. */
async function step(mesh: Mesh, name: "prepare" | "activate" | "taint" | "revoke"): Promise<void> {
  let said = "";
  await eventually(
    `lateen ca ${name}`,
    async () => {
      const { code, stderr } = await mesh.cli(["ca", name]);
      said = stderr;
      return code === 0;
    },
    20_000,
  ).catch((error: Error) => assert.fail(`${error.message}: ${said}`));
}

async function status(mesh: Mesh): Promise<CaReply> {
  return await mesh.admin.get<CaReply>("/v1/ca");
}

interface OnDisk {
  readonly bundle: { readonly roots: readonly string[]; readonly retiring: readonly string[] };
  /** The authority of the workload's SVID. */
  readonly svid: string;
}

async function onDisk(mesh: Mesh, name: string): Promise<OnDisk> {
  const host = mesh.host(name);
  const bundle = JSON.parse(await readFile(join(host.stateDir, "identity", "bundle.json"), "utf8"));
  const leaf = new X509Certificate((await host.svid()).cert);
  return { bundle, svid: authorityKeyId(readCertificateFacts(leaf.raw)) ?? "" };
}

/** New connections to both versions with the caller's identity, verified with its bundle, one after the other. */
function shakeHandsAllTheTime(mesh: Mesh): {
  stop(): Promise<{ readonly handshakes: number; readonly failures: readonly string[] }>;
} {
  const over = new AbortController();
  const failures: string[] = [];
  let handshakes = 0;
  const run = async (name: string): Promise<void> => {
    const { address } = mesh.host(name).spec;
    while (!over.signal.aborted) {
      const { bundle } = await onDisk(mesh, "caller");
      const reply = await tlsCall(address, HTTP_PORT, { ...(await mesh.host("caller").svid()), ...bundle });
      handshakes += 1;
      if (reply.status !== 200) failures.push(`${name}: ${reply.status} ${reply.failure}`);
      await systemClock.sleep(20, over.signal);
    }
  };
  const running = Promise.all([run("reviews-v1"), run("reviews-v2")]);
  return {
    async stop() {
      over.abort();
      await running;
      return { handshakes, failures };
    },
  };
}
