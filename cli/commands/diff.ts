import { Command } from "commander";
import { diffFiles, parseFiles } from "../../controlplane/offline.ts";
import {
  type DiffReply,
  type FieldChange,
  filesBody,
  type ObjectDiff,
  type ResourceDiff,
} from "../../mesh/admin-api/replies.ts";
import { RefusedCall } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { readInputs } from "../input-files.ts";
import { printable } from "../output/table.ts";
import { tellViolations } from "../output/violations.ts";
import {
  type ClientOptions,
  type FormatOptions,
  filesOption,
  openClient,
  recursiveOption,
  withClient,
  withNamespace,
  withOutput,
} from "./client-options.ts";
import { type MeshFilesOptions, readMeshFiles, refuseErrors, withMeshConfigFile } from "./mesh-files.ts";

interface DiffOptions extends ClientOptions, MeshFilesOptions, FormatOptions {
  readonly against?: readonly string[];
  readonly verbose: boolean;
}

/** What a change of an object or a resource is marked with; an unchanged one is not shown. */
const MARKS: Readonly<Record<ObjectDiff["change"] | ResourceDiff["change"], string>> = {
  created: "+",
  added: "+",
  changed: "~",
  deleted: "-",
  removed: "-",
  unchanged: " ",
};

export function diffCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("diff")
    .description("what applying files would change: objects, and the resources of each proxy")
    .addOption(filesOption().makeOptionMandatory())
    .addOption(recursiveOption())
    .option("--against <path...>", "what is there now, as files; without it, what the server has")
    .option("--verbose", "the fields of changed resources too", false);
  const all = withNamespace(withMeshConfigFile(command), context);
  return withClient(withOutput(all, context, ["table", "json"])).action(async (options: DiffOptions) => {
    exit(await diff(context, options));
  });
}

async function diff(context: CliContext, options: DiffOptions): Promise<number> {
  const reply =
    options.against === undefined ? await askServer(context, options) : await diffOffline(context, options);
  if (options.output === "json") context.stdout.write(`${JSON.stringify(reply, undefined, 2)}\n`);
  else tell(context, reply);
  const changed = reply.objects.some(({ change }) => change !== "unchanged") || reply.workloads.length > 0;
  return changed ? EXIT.negative : EXIT.ok;
}

async function diffOffline(context: CliContext, options: DiffOptions): Promise<DiffReply> {
  const after = await readMeshFiles(context, options);
  const before = parseFiles(await readInputs(options.against ?? [], context, options), {
    defaultNamespace: options.namespace,
  });
  tellViolations(context, before.violations);
  refuseErrors(before.violations);
  return diffFiles(before.objects, after.objects, { mesh: after.meshConfig, verbose: options.verbose });
}

async function askServer(context: CliContext, options: DiffOptions): Promise<DiffReply> {
  if (options.meshConfig !== undefined) {
    context.stderr.write("warning: the server has a MeshConfig of its own: --mesh-config is for --against\n");
  }
  const files = await readInputs(options.filename, context, options);
  await using client = openClient(context, options, "compare with files: --against DIR");
  try {
    return await client.post<DiffReply>("/v1/diff", filesBody(files), {
      query: { namespace: options.namespace, verbose: options.verbose },
      signal: context.signal,
    });
  } catch (error) {
    if (error instanceof RefusedCall) tellViolations(context, error.violations);
    throw error;
  }
}

function tell(context: CliContext, { objects, workloads }: DiffReply): void {
  const write = (line: string): void => context.stdout.write(`${printable(line)}\n`);
  for (const { kind, namespace, name, change, fields } of objects) {
    if (change === "unchanged") continue;
    write(`${MARKS[change]} ${kind} ${namespace}/${name} ${change}`);
    for (const field of fields) write(`    ${fieldLine(field)}`);
  }
  for (const { workload, resources } of workloads) {
    write(`workload ${workload}`);
    for (const { type, name, change, fields = [] } of resources) {
      write(`  ${MARKS[change]} ${type} ${name} ${change}`);
      for (const field of fields) write(`      ${fieldLine(field)}`);
    }
  }
  const unchanged = objects.filter(({ change }) => change === "unchanged").length;
  if (unchanged === objects.length && workloads.length === 0) {
    context.stderr.write(
      `No changes: ${unchanged === 1 ? "1 object is" : `${unchanged} objects are`} as they are.\n`,
    );
  }
}

function fieldLine({ path, before, after }: FieldChange): string {
  const text = (value: unknown): string => (value === undefined ? "(nothing)" : JSON.stringify(value));
  return `${path}: ${text(before)} → ${text(after)}`;
}
