import assert from "node:assert/strict";
import { join } from "node:path";
import { askAdmin } from "../../agent/dataplane/admin-client.ts";
import { eventually } from "./eventually.ts";
import type { Mesh } from "./mesh.ts";

/** Waits until the host's metrics have these samples, on the built-in proxy or, for Envoy, on its agent. */
export async function told(
  mesh: Mesh,
  host: string,
  samples: readonly (readonly [policy: string, result: string, enforced: string])[],
): Promise<void> {
  const { workload, runDir } = mesh.host(host);
  const ask = async (): Promise<string> =>
    mesh.dataPlane === "envoy"
      ? (await askAdmin(join(runDir, "agent.sock"), "/metrics")).body
      : await mesh.host(host).askProxy("/stats/prometheus");
  let text = "";
  for (const [policy, result, enforced] of samples) {
    const of = mesh.dataPlane === "envoy" ? `workload="${workload}",` : "";
    const labels = `${of}policy="${policy}",result="${result}",enforced="${enforced}"`;
    await eventually(`${policy} ${result}`, async () => {
      text = await ask();
      const line = text.split("\n").find((one) => one.startsWith(`lateen_policy_decisions_total{${labels}}`));
      return Number(line?.split(" ").at(-1) ?? 0) > 0;
    }).catch((error: unknown) => assert.fail(`${String(error)}\n${decisionsIn(text)}`));
  }
}

function decisionsIn(text: string): string {
  return text
    .split("\n")
    .filter((line) => line.startsWith("lateen_policy_decisions_total"))
    .join("\n");
}

/** Whether a line of a host's log has all the words. The built-in proxy's lines are in those of its agent. */
export function isLogged(mesh: Mesh, host: string, ...words: readonly string[]): boolean {
  return linesOf(mesh, host).some((line) => words.every((word) => line.includes(word)));
}

export function assertLogged(mesh: Mesh, host: string, ...words: readonly string[]): void {
  const found = isLogged(mesh, host, ...words);
  assert.ok(found, `no line has ${words.join(", ")}:\n${linesOf(mesh, host).join("\n")}`);
}

function linesOf(mesh: Mesh, host: string): readonly string[] {
  const { text } = mesh.host(host).log;
  return text.split("\n").map((line) => line.replaceAll("\\", ""));
}
