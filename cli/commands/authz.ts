import { Command, Option } from "commander";
import { checkAuthzInFiles, parseQuestion, whoMayCallInFiles } from "../../controlplane/offline.ts";
import type { ObservedReply } from "../../mesh/admin-api/observed-replies.ts";
import type { AuthzReply, List } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { tellAuthorization, tellCallers } from "../output/authorization.ts";
import { reportError } from "../report-error.ts";
import { workloadCandidates } from "../workload-name.ts";
import { seenCommand, simulateCommand } from "./authz-observed.ts";
import {
  type ClientOptions,
  filesOption,
  type NamespaceOptions,
  openClient,
  recursiveOption,
  withClient,
  withNamespace,
} from "./client-options.ts";
import { readMeshFiles, withMeshConfigFile } from "./mesh-files.ts";

interface AuthzOptions extends ClientOptions, NamespaceOptions {
  readonly output: "text" | "json";
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly header: readonly string[];
  readonly jwt?: string;
  readonly filename?: readonly string[];
  readonly recursive: boolean;
  readonly meshConfig?: string;
}

interface WhoOptions extends AuthzOptions {
  readonly all: boolean;
}

/** Callers that are no workloads. */
const NO_WORKLOAD = /^(?:outside$|spiffe:\/\/)/;

export function authzCommand(context: CliContext, exit: Exit): Command {
  const check = new Command("check")
    .description("whether a call would be let in, and the policies that are asked; nothing is sent")
    .argument("<source>", "a workload (name, name.namespace, namespace/name), a SPIFFE ID, or outside")
    .argument("<destination>", "the workload that is called");
  const who = new Command("who")
    .description("the identities of the mesh that may call a workload so")
    .argument("<destination>", "the workload that is called")
    .option("-a, --all", "those that may not, too", false);
  return new Command("authz")
    .description("who may call whom")
    .addCommand(seenCommand(context, exit))
    .addCommand(simulateCommand(context, exit))
    .addCommand(
      withQuestion(check, context).action(async (source: string, to: string, options: AuthzOptions) => {
        exit(await answered(context, () => checkCall(context, source, to, options)));
      }),
    )
    .addCommand(
      withQuestion(who, context).action(async (to: string, options: WhoOptions) => {
        exit(await answered(context, () => listCallers(context, to, options)));
      }),
    );
}

function withQuestion(command: Command, context: CliContext): Command {
  command
    .option("--port <port>", "service port; the lowest unless it is given", Number)
    .option("--method <method>", "HTTP method", (text) => text.toUpperCase(), "GET")
    .option("--path <path>", "path with its query", "/")
    .option("-H, --header <header>", "a header of the call, 'name: value'; may be repeated", collect, [])
    .option("--jwt <token>", "a token, sent as 'authorization: Bearer'; - reads it from standard input")
    .addOption(filesOption("files, directories, or -: as if they were all there is, without a server"))
    .addOption(recursiveOption());
  const output = new Option("-o, --output <format>", "output format").choices(["text", "json"]);
  command.addOption(output.default(context.environment["LATEEN_OUTPUT"] === "json" ? "json" : "text"));
  return withClient(withNamespace(withMeshConfigFile(command), context));
}

function collect(header: string, before: readonly string[]): readonly string[] {
  return [...before, header];
}

/** That there is no such workload is no answer about the call. */
async function answered(context: CliContext, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!isNotFound(error)) throw error;
    reportError(context, error);
    return EXIT.undecided;
  }
}

async function checkCall(
  context: CliContext,
  source: string,
  to: string,
  options: AuthzOptions,
): Promise<number> {
  const { filename, namespace } = options;
  const from = NO_WORKLOAD.test(source) ? [source] : workloadCandidates(source, namespace);
  const destinations = workloadCandidates(to, namespace);
  const headers = await headersOf(context, options);
  let reply: AuthzReply;
  if (filename === undefined) {
    const pairs = from.flatMap((one) => destinations.map((other) => ({ from: one, to: other })));
    reply = await askServer<AuthzReply>(context, options, "/v1/authz/check", pairs, headers);
  } else {
    const { objects, meshConfig } = await readMeshFiles(context, { ...options, filename });
    reply = checkAuthzInFiles(objects, from, destinations, offlineQuestion(options, headers), meshConfig);
  }
  if (options.output === "json") context.stdout.write(`${JSON.stringify(reply, undefined, 2)}\n`);
  else tellAuthorization(context, reply);
  if (reply.allowed === null) return EXIT.undecided;
  return reply.allowed ? EXIT.ok : EXIT.negative;
}

async function listCallers(context: CliContext, to: string, options: WhoOptions): Promise<number> {
  const { filename, namespace } = options;
  const destinations = workloadCandidates(to, namespace);
  const headers = await headersOf(context, options);
  let replies: readonly AuthzReply[];
  if (filename === undefined) {
    const asked = destinations.map((one) => ({ to: one }));
    replies = (await askServer<List<AuthzReply>>(context, options, "/v1/authz/who", asked, headers)).items;
  } else {
    const { objects, meshConfig } = await readMeshFiles(context, { ...options, filename });
    replies = whoMayCallInFiles(objects, destinations, offlineQuestion(options, headers), meshConfig);
  }
  const told = options.all ? replies : replies.filter(({ allowed }) => allowed !== false);
  if (options.output === "json") context.stdout.write(`${JSON.stringify(told, undefined, 2)}\n`);
  else if (told.length === 0) context.stdout.write("nobody\n");
  else
    tellCallers(context, told, filename === undefined ? await lastCalls(context, options, told) : undefined);
  return EXIT.ok;
}

/** When each caller was last seen to call the workload, in milliseconds since the epoch, by its SPIFFE ID. */
async function lastCalls(
  context: CliContext,
  options: ClientOptions,
  [first]: readonly AuthzReply[],
): Promise<ReadonlyMap<string | null, number>> {
  await using client = openClient(context, options);
  const { items } = await client.get<ObservedReply>("/v1/observed-calls", {
    query: { to: first?.to },
    signal: context.signal,
  });
  const last = new Map<string | null, number>();
  for (const { from, lastSeen } of items) last.set(from, Math.max(last.get(from) ?? 0, Date.parse(lastSeen)));
  return last;
}

async function headersOf(context: CliContext, { header, jwt }: AuthzOptions): Promise<readonly string[]> {
  if (jwt === undefined) return header;
  const token = jwt === "-" ? (await context.readStdin()).trim() : jwt;
  return [`authorization: Bearer ${token}`, ...header];
}

/** The first of the things that a user may mean that is there. */
async function askServer<T>(
  context: CliContext,
  options: AuthzOptions,
  path: string,
  meant: readonly object[],
  headers: readonly string[],
): Promise<T> {
  await using client = openClient(context, options);
  const { port, method, path: called } = options;
  const question = { ...(port === undefined ? {} : { port }), method, path: called, headers };
  let notFound: unknown;
  for (const one of meant) {
    try {
      return await client.post<T>(path, JSON.stringify({ ...one, ...question }), { signal: context.signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      notFound ??= error;
    }
  }
  throw notFound;
}

function offlineQuestion(
  { port, method, path }: AuthzOptions,
  headers: readonly string[],
): Parameters<typeof checkAuthzInFiles>[3] {
  const parsed = parseQuestion({ to: "", method, headers });
  return { port, method: parsed.method, path, headers: parsed.headers, nowMs: Date.now() };
}

function isNotFound(error: unknown): boolean {
  return (
    error instanceof MeshError && (error.code === "admin.not-found" || error.code === "object.not-found")
  );
}
