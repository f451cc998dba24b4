import { Command, Option } from "commander";
import {
  analyzeFiles,
  isSuppressed,
  isUnparsable,
  parseFiles,
  parseSuppression,
  SEVERITIES,
  type Severity,
  schemaMessages,
  sortedMessages,
} from "../../controlplane/offline.ts";
import { type AnalysisMessage, filesBody, type List, listOf } from "../../mesh/admin-api/replies.ts";
import type { SourceFile } from "../../mesh/model/parse-files.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { readInputs } from "../input-files.ts";
import { type Column, render } from "../output/render.ts";
import { tellPassedOver, tellViolations } from "../output/violations.ts";
import {
  type ClientOptions,
  type FormatOptions,
  filesOption,
  type NamespaceOptions,
  openClient,
  recursiveOption,
  withClient,
  withNamespace,
  withOutput,
} from "./client-options.ts";
import { readMeshConfig, refuseErrors, withMeshConfigFile } from "./mesh-files.ts";

interface AnalyzeOptions extends ClientOptions, NamespaceOptions, FormatOptions {
  readonly filename?: readonly string[];
  readonly recursive: boolean;
  readonly useServer: boolean;
  readonly meshConfig?: string;
  readonly failureThreshold: Severity;
  readonly suppress: readonly string[];
}

export function analyzeCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("analyze")
    .description(
      "find what is valid and still wrong: in files, on the server, or in files over the server's objects",
    )
    .argument("[files...]", "as with -f")
    .addOption(filesOption("files, directories, or - for standard input; without any, the server"))
    .addOption(recursiveOption())
    .option("-k, --use-server", "take the files as if they were applied to the server", false)
    .addOption(
      new Option("--failure-threshold <level>", "exit with 79 when there is a message of this level or worse")
        .choices(SEVERITIES)
        .default("Error"),
    )
    .option("-S, --suppress <code=origin...>", "leave messages out: 'LAT0001=WorkloadEntry default/*'", []);
  const all = withClient(
    withOutput(withNamespace(withMeshConfigFile(command), context), context, ["table", "json"]),
  );
  return all.action(async (files: readonly string[], options: AnalyzeOptions) => {
    exit(await analyze(context, [...files, ...(options.filename ?? [])], options));
  });
}

async function analyze(
  context: CliContext,
  paths: readonly string[],
  options: AnalyzeOptions,
): Promise<number> {
  const suppressions = options.suppress.map(parseSuppression);
  const files = await readInputs(paths, context, options);
  const parsed = parseFiles(files, { defaultNamespace: options.namespace, partial: true });
  const unparsable = parsed.violations.filter(isUnparsable);
  tellViolations(context, unparsable);
  tellPassedOver(context, parsed.violations);
  if (options.useServer) refuseErrors(unparsable);
  const found =
    files.length === 0 || options.useServer
      ? await askServer(context, files, options)
      : await analyzeOffline(context, parsed, options);
  const items = found.filter((message) => !isSuppressed(message, suppressions));
  const name = ({ code, origin }: AnalysisMessage): string => `${code} ${origin}`;
  const none = "No issues found.";
  render(context, { items, columns: COLUMNS, name, value: listOf(items), none }, options);
  if (unparsable.length > 0) return EXIT.invalidInput;
  const threshold = SEVERITIES.indexOf(options.failureThreshold);
  const failed = items.some(({ severity }) => SEVERITIES.indexOf(severity) >= threshold);
  return failed ? EXIT.findings : EXIT.ok;
}

async function analyzeOffline(
  context: CliContext,
  { objects, partial, violations }: ReturnType<typeof parseFiles>,
  { meshConfig }: AnalyzeOptions,
): Promise<readonly AnalysisMessage[]> {
  const config = meshConfig === undefined ? undefined : await readMeshConfig(meshConfig, context);
  tellViolations(context, config?.violations ?? []);
  refuseErrors(config?.violations ?? []);
  const schema = schemaMessages(violations.filter((violation) => !isUnparsable(violation)));
  const found = analyzeFiles([...objects, ...partial], { mesh: config?.config, now: context.clock.now() });
  return sortedMessages([...schema, ...found]);
}

async function askServer(
  context: CliContext,
  files: readonly SourceFile[],
  options: AnalyzeOptions,
): Promise<readonly AnalysisMessage[]> {
  await using client = openClient(context, options, "analyze files alone: -f DIR, without -k");
  const call = { signal: context.signal };
  const { items } =
    files.length === 0
      ? await client.get<List<AnalysisMessage>>("/v1/analysis", call)
      : await client.post<List<AnalysisMessage>>("/v1/analysis", filesBody(files), {
          ...call,
          query: { namespace: options.namespace },
        });
  return items;
}

const TONES = { Error: "bad", Warning: "warning", Info: "good" } as const;

const COLUMNS: readonly Column<AnalysisMessage>[] = [
  { header: "LEVEL", cell: ({ severity }) => ({ text: severity, tone: TONES[severity] }) },
  { header: "CODE", cell: ({ code }) => code },
  { header: "ORIGIN", cell: ({ origin }) => origin },
  { header: "PLACE", cell: ({ file, line }) => (file === undefined ? "" : line ? `${file}:${line}` : file) },
  { header: "MESSAGE", cell: ({ message }) => message },
];
