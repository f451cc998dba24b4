import type { CliContext } from "../context.ts";
import type { Loss, Manifest } from "../import/consul/manifest.ts";
import { toYaml } from "./render.ts";
import { formatTable } from "./table.ts";

/** The objects as YAML documents. */
export function manifestsText(manifests: readonly Manifest[]): string {
  return manifests.map(toYaml).join("---\n");
}

/** On stderr, so that the objects alone go down a pipe. */
export function tellLosses(context: CliContext, losses: readonly Loss[], made: number): void {
  const objects = made === 1 ? "1 object" : `${made} objects`;
  if (losses.length === 0) {
    context.stderr.write(`${objects}, and nothing without an equivalent\n`);
    return;
  }
  const rows = losses.map(({ kind, name, field, meaning }) => [kind, name, field, meaning]);
  context.stderr.write(`${objects}; to be looked at:\n`);
  context.stderr.write(formatTable(["KIND", "NAME", "FIELD", "WHAT IT MEANS HERE"], rows));
}
