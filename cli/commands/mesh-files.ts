import { type Command } from "commander";
import { parseFiles } from "../../controlplane/offline.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";
import { type ParsedMeshConfig, parseMeshConfigText } from "../../mesh/model/parse-mesh-config.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
import type { CliContext } from "../context.ts";
import { readInput, readInputs } from "../input-files.ts";
import { tellViolations } from "../output/violations.ts";
import type { FileOptions } from "./client-options.ts";

/** Options of commands that work on a mesh in files. */
export interface MeshFilesOptions extends FileOptions {
  readonly namespace: string;
  readonly meshConfig?: string;
}

export interface MeshFiles {
  readonly objects: readonly FiledObject[];
  readonly meshConfig: MeshConfigSpec | undefined;
}

export function withMeshConfigFile(command: Command): Command {
  return command.option(
    "--mesh-config <file>",
    "MeshConfig: its fields alone, a document, or Istio's ConfigMap",
  );
}

/** Reads what `-f` and `--mesh-config` name. Warnings are told; errors are told and thrown as `object.invalid`. */
export async function readMeshFiles(context: CliContext, options: MeshFilesOptions): Promise<MeshFiles> {
  const { filename, namespace, meshConfig } = options;
  const files = parseFiles(await readInputs(filename, context, options), { defaultNamespace: namespace });
  const config = meshConfig === undefined ? undefined : await readMeshConfig(meshConfig, context);
  const violations = [...files.violations, ...(config?.violations ?? [])];
  tellViolations(context, violations);
  refuseErrors(violations);
  return { objects: files.objects, meshConfig: config?.config };
}

export function refuseErrors(violations: readonly LocatedViolation[]): void {
  const errors = violations.filter(({ severity }) => severity === "error").length;
  if (errors === 0) return;
  throw new MeshError(
    "object.invalid",
    `${errors === 1 ? "1 violation" : `${errors} violations`} in the files`,
    {
      hint: "correct what the violations name",
    },
  );
}

/** Throws `cli.usage` when the file cannot be read; what is wrong in it is told by the violations. */
export async function readMeshConfig(path: string, context: CliContext): Promise<ParsedMeshConfig> {
  return parseMeshConfigText(await readInput(path, context), path);
}
