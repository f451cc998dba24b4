import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CaReply } from "../../mesh/admin-api/ca-replies.ts";
import { authorityKeyId, readCertificateFacts } from "../../mesh/identity/certificate-facts.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { eventually } from "./eventually.ts";
import type { Mesh } from "./mesh.ts";
import { tlsCall } from "./mesh-calls.ts";
import { HTTP_PORT } from "./mesh-topology.ts";

/** A mesh in which a whole rotation takes seconds; the agent of `reviews-v2` is a process of its own. */
export const ROTATING_MESH = {
  hosts: [
    { name: "caller", service: "caller", upstreams: ["reviews"] },
    { name: "reviews-v1", service: "reviews", version: "v1" },
    { name: "reviews-v2", service: "reviews", version: "v2" },
  ],
  agentProcesses: ["reviews-v2"],
  // An agent that is away for longer is not waited for.
  rotation: { renewWithinSeconds: 2, awayAfterSeconds: 5 },
} as const;

/** prepare → activate → taint → revoke by command, with an agent away in the middle and the server restarted in it. */
export async function walkToNewAuthority(mesh: Mesh): Promise<void> {
  const away = mesh.host("reviews-v2");
  await away.killAgentProcess();
  await caStep(mesh, "prepare");
  await mesh.server.stop();
  await mesh.server.start();
  await caStep(mesh, "activate");
  await caStep(mesh, "taint");
  const { next } = await caStatus(mesh);
  assert.equal(next?.step, "revoke");
  await away.startAgentProcess();
  // A process that starts on a busy machine, and two seconds over which renewals are spread.
  await eventually(
    "it renews",
    async () => {
      const { bundle, svid } = await identityOnDisk(mesh, "reviews-v2");
      return bundle.retiring.length > 0 && !bundle.retiring.includes(svid);
    },
    20_000,
  );
  await caStep(mesh, "revoke");
  // With the old root gone everywhere, all of it once more.
  await eventually("one root on every host", async () => {
    const bundles = await Promise.all(mesh.hosts.map(({ spec }) => identityOnDisk(mesh, spec.name)));
    return bundles.every(({ bundle }) => bundle.roots.length === 1);
  });
  await systemClock.sleep(300, AbortSignal.timeout(1000));
}

/** By command, as an operator does it: as soon as the hosts are ready. */
export async function caStep(
  mesh: Mesh,
  name: "prepare" | "activate" | "taint" | "revoke",
  ...flags: readonly string[]
): Promise<void> {
  let said = "";
  await eventually(
    `lateen ca ${name}`,
    async () => {
      const { code, stderr } = await mesh.cli(["ca", name, ...flags]);
      said = stderr;
      return code === 0;
    },
    20_000,
  ).catch((error: Error) => assert.fail(`${error.message}: ${said}`));
}

export async function caStatus(mesh: Mesh): Promise<CaReply> {
  return await mesh.admin.get<CaReply>("/v1/ca");
}

interface IdentityOnDisk {
  readonly bundle: { readonly roots: readonly string[]; readonly retiring: readonly string[] };
  /** The authority of the workload's SVID. */
  readonly svid: string;
}

export async function identityOnDisk(mesh: Mesh, name: string): Promise<IdentityOnDisk> {
  const host = mesh.host(name);
  const bundle = JSON.parse(await readFile(join(host.stateDir, "identity", "bundle.json"), "utf8"));
  const leaf = new X509Certificate((await host.svid()).cert);
  return { bundle, svid: authorityKeyId(readCertificateFacts(leaf.raw)) ?? "" };
}

/** New connections to both versions with the caller's identity, verified with its bundle, one after the other. */
export function shakeHandsAllTheTime(mesh: Mesh): {
  stop(): Promise<{ readonly handshakes: number; readonly failures: readonly string[] }>;
} {
  const over = new AbortController();
  const failures: string[] = [];
  let handshakes = 0;
  const run = async (name: string): Promise<void> => {
    const { address } = mesh.host(name).spec;
    while (!over.signal.aborted) {
      const { bundle } = await identityOnDisk(mesh, "caller");
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
