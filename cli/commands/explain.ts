import { Command, Option } from "commander";
import { explainFiles } from "../../controlplane/offline.ts";
import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { tellExplanation } from "../output/explanation.ts";
import { reportError } from "../report-error.ts";
import { workloadCandidates } from "../workload-name.ts";
import {
  type ClientOptions,
  filesOption,
  type NamespaceOptions,
  openClient,
  recursiveOption,
  withClient,
  withNamespace,
} from "./client-options.ts";
import { type MeshFilesOptions, readMeshFiles, withMeshConfigFile } from "./mesh-files.ts";

interface ExplainOptions extends ClientOptions, NamespaceOptions {
  readonly output: "text" | "json";
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly header: readonly string[];
  readonly filename?: readonly string[];
  readonly recursive: boolean;
  readonly meshConfig?: string;
}

export function explainCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("explain")
    .description("which way a workload's call would take, and the objects that decide it; nothing is sent")
    .requiredOption("--from <workload>", "who calls: name, name.namespace or namespace/name")
    .requiredOption("--to <url>", "http://reviews:9080/path, https://, grpc://, tcp://db:5432, tls://")
    .option("--method <method>", "HTTP method", (text) => text.toUpperCase(), "GET")
    .addOption(filesOption("files, directories, or -: as if they were all there is, without a server"))
    .addOption(recursiveOption())
    .option("-H, --header <header>", "a header of the call, 'name: value'; may be repeated", collect, []);
  const output = new Option("-o, --output <format>", "output format").choices(["text", "json"]);
  command.addOption(output.default(context.environment["LATEEN_OUTPUT"] === "json" ? "json" : "text"));
  return withClient(withNamespace(withMeshConfigFile(command), context)).action(
    async (options: ExplainOptions) => {
      exit(await explain(context, options));
    },
  );
}

function collect(header: string, before: readonly string[]): readonly string[] {
  return [...before, header];
}

async function explain(context: CliContext, options: ExplainOptions): Promise<number> {
  let reply: ExplainReply;
  try {
    const { filename } = options;
    reply = await (filename === undefined
      ? askServer(context, options)
      : askFiles(context, { ...options, filename }));
  } catch (error) {
    // That there is no such workload is no answer about the call.
    if (!isNotFound(error)) throw error;
    reportError(context, error);
    return EXIT.undecided;
  }
  if (options.output === "json") context.stdout.write(`${JSON.stringify(reply, undefined, 2)}\n`);
  else tellExplanation(context, reply);
  return reply.outcome.arrives ? EXIT.ok : EXIT.negative;
}

async function askFiles(
  context: CliContext,
  options: ExplainOptions & Pick<MeshFilesOptions, "filename">,
): Promise<ExplainReply> {
  const { objects, meshConfig } = await readMeshFiles(context, options);
  const { to, method, header: headers } = options;
  const candidates = workloadCandidates(options.from, options.namespace);
  return explainFiles(objects, candidates, { to, method, headers }, meshConfig);
}

async function askServer(context: CliContext, options: ExplainOptions): Promise<ExplainReply> {
  await using client = openClient(context, options, "explain from files: -f DIR");
  let notFound: unknown;
  for (const from of workloadCandidates(options.from, options.namespace)) {
    const query = new URLSearchParams([
      ["from", from],
      ["to", options.to],
      ["method", options.method],
      ...options.header.map((header): [string, string] => ["header", header]),
    ]);
    try {
      return await client.get<ExplainReply>(`/v1/explain?${query.toString()}`, { signal: context.signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      notFound ??= error;
    }
  }
  throw notFound;
}

function isNotFound(error: unknown): boolean {
  return (
    error instanceof MeshError && (error.code === "admin.not-found" || error.code === "object.not-found")
  );
}
