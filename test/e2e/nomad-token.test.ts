import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SetReader } from "../../agent/discovery/discovery.contract.ts";
import { NomadDiscovery } from "../../agent/discovery/nomad/nomad-discovery.ts";
import { Reader } from "../../controlplane/registry/registry.contract.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { nomadClient } from "../../mesh/nomad/nomad-client.ts";
import { type RunningNomad, startNomad } from "../../setup/run-nomad.ts";
import { eventually } from "../harness/eventually.ts";
import { LogBook } from "../harness/mesh-log.ts";
import { echoJob } from "../harness/nomad-jobs.ts";
import { nomadRegistry } from "../harness/nomad-subjects.ts";
import { requireTool, skipWithout } from "../harness/tools.ts";

const PATIENCE_MS = 60_000;
const RULES = `
namespace "*" { policy = "read" }
node { policy = "read" }
agent { policy = "read" }`;

async function token(nomad: RunningNomad, ttl: string): Promise<string> {
  const wish = { Type: "client", Policies: ["lateen"], ExpirationTTL: ttl };
  return (await nomad.post<{ readonly SecretID: string }>("/acl/token", wish)).SecretID;
}

test("a token of a real Nomad that expires mid-stream takes nothing away, is told, and another one mends it", {
  skip: skipWithout("nomad"),
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-token-"));
  const tokenFile = join(folder, "token");
  const log = new LogBook("nomad");
  try {
    await using nomad = await startNomad(requireTool("nomad"), { acl: true });
    await nomad.post("/acl/policy/lateen", { Name: "lateen", Rules: RULES });
    const tags = ["lateen.inject=true"];
    await nomad.run(echoJob({ id: "web", tags, count: 2 }));
    await writeFile(tokenFile, await token(nomad, "25s"));
    const { address } = nomad;
    await using client = await nomadClient({ address, tokenFile });
    await using registry = await nomadRegistry({ address, tokenFile }, { backoffMaxMs: 500 }, log.logger);
    const discovery = new NomadDiscovery({
      client,
      nodeId: undefined,
      address: undefined,
      consul: undefined,
      routedAddress: async () => undefined,
      clock: systemClock,
      random: Math.random,
      logger: log.logger,
      timing: { backoffMaxMs: 500 },
    });
    await using instances = new Reader(registry);
    await using services = new SetReader(discovery);
    await eventually(
      "both are seen",
      () => instances.ids().length === 2 && services.latest?.length === 2,
      PATIENCE_MS,
    );
    await eventually("it is current", () => registry.status.state === "current", PATIENCE_MS);
    assert.deepEqual(discovery.findings, []);

    await eventually("the token has expired", () => registry.status.state === "stale", PATIENCE_MS);
    assert.match(JSON.stringify(registry.status), /403|expired/);
    await nomad.run(echoJob({ id: "more", tags }));
    await eventually(
      "it is told",
      () => discovery.findings.some(({ code }) => code === "host.nomad-token"),
      PATIENCE_MS,
    );
    assert.deepEqual([instances.ids().length, services.latest?.length], [2, 2]);

    await writeFile(tokenFile, await token(nomad, "1h"));
    await eventually(
      "what came meanwhile is there",
      () => instances.ids().length === 3 && services.latest?.length === 3,
      PATIENCE_MS,
    );
    await eventually("the catalog is current", () => registry.status.state === "current", PATIENCE_MS);
    await eventually("it is mended", () => discovery.findings.length === 0, PATIENCE_MS);
  } catch (error) {
    throw new Error(`${String(error)}\n${log.text}`, { cause: error });
  } finally {
    await rm(folder, { recursive: true });
  }
});
