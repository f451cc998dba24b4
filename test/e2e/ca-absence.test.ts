import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { test } from "node:test";
import { caStatus, caStep, identityOnDisk, ROTATING_MESH } from "../harness/ca-walk.ts";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import type { MeshHost } from "../harness/mesh-host.ts";
import { peerAuthentication } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews", "late"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "late", service: "late", upstreams: ["reviews"] },
] as const;
const { rotation } = ROTATING_MESH;

describeMesh("hosts that come and go in a change of the CA", { hosts: HOSTS, rotation }, (mesh) => {
  const talks = async (): Promise<void> => {
    for (const [from, to] of [
      ["caller", "late"],
      ["late", "reviews"],
    ] as const) {
      await eventually(
        `${from} calls ${to}`,
        async () => (await mesh().call(from, to)).status === 200,
        15_000,
      );
    }
  };

  test("a host that joins at any step is at home at once, and stays so", async () => {
    await mesh().apply(peerAuthentication("STRICT"));
    for (const name of ["prepare", "activate", "taint"] as const) {
      await caStep(mesh(), name);
      await joinAnew(mesh(), mesh().host("late"));
      await talks();
    }
    await caStep(mesh(), "revoke");
    await talks();
    const [active] = (await caStatus(mesh())).authorities;
    await eventually(
      "everybody has a certificate of the one authority that is left",
      async () => {
        const all = await Promise.all(mesh().hosts.map(({ spec }) => identityOnDisk(mesh(), spec.name)));
        return all.every(({ bundle, svid }) => bundle.roots.length === 1 && svid === active?.id);
      },
      15_000,
    );
  });

  for (const { when, steps } of [
    { when: "all of it", steps: ["prepare", "activate", "taint", "revoke"] },
    { when: "all but its first step", steps: ["activate", "taint", "revoke"] },
  ] as const) {
    test(`a host that was away through ${when} is told to join again, and then is at home`, async () => {
      await mesh().apply(peerAuthentication("STRICT"));
      const late = mesh().host("late");
      if (steps[0] === "activate") {
        await caStep(mesh(), "prepare");
        await eventually(
          "it has both roots",
          async () => (await identityOnDisk(mesh(), "late")).bundle.roots.length === 2,
        );
      }
      await late.stopAgent();
      for (const step of steps) await caStep(mesh(), step);
      const before = late.log.entries.length;
      late.startAgent();
      const problem = await eventually(
        "its status says so",
        async () => (await late.status().catch(() => undefined))?.server.problem,
        30_000,
      );
      assert.match(problem.hint, /lateen token create.*lateen join --force/);
      const said = late.log.entries.slice(before).filter(({ level }) => level === "error");
      assert.deepEqual(
        said.map(({ message, fields }) => [message, fields["hint"]]),
        [["this host is not of the mesh any more", problem.hint]],
        "said once",
      );
      const { code, stdout } = await mesh().cli(["status", "--run-dir", late.runDir]);
      assert.equal(code, 1);
      assert.match(stdout, /NOT OF THE MESH ANY MORE: .*\n.*lateen join --force/);
      await joinAnew(mesh(), late);
      await talks();
      const now = await mesh().cli(["status", "--run-dir", late.runDir]);
      assert.deepEqual([now.code, (await late.status()).server.problem], [0, undefined], now.stdout);
    });
  }
});

/** With a new token and nothing of before, as `lateen join --force` does. */
async function joinAnew(mesh: Mesh, host: MeshHost): Promise<void> {
  await host.stopAgent();
  await rm(host.stateDir, { recursive: true });
  await host.join(await mesh.token({ node: host.spec.name }));
  host.startAgent();
  await host.serving();
}
