import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { declaredServices, parseServices, routedAddress } from "../../agent/offline.ts";
import type { AgentStatus, WorkloadStatus } from "../../mesh/admin-api/agent-status.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { CliContext } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { replaceFile } from "../new-file.ts";
import { toYaml } from "../output/render.ts";
import { printable } from "../output/table.ts";
import { freeUpstreamPort } from "./free-port.ts";
import { whileLocked } from "./host-lock.ts";
import { isThere } from "./presence.ts";
import { ADDED, dropInOf, type ServicePlaces, servicePlaces } from "./service-places.ts";
import { isAcknowledged, serverAway, untilAgent } from "./until-agent.ts";

interface AddOptions {
  readonly dir: string;
  readonly namespace: string;
  readonly port: string;
  readonly upstream?: readonly string[];
  readonly protocol: string;
  readonly id?: string;
  readonly sa?: string;
  readonly label?: readonly string[];
  readonly app?: string;
  readonly vips?: true;
  readonly httpProxy?: string;
  readonly wait: string;
}

/** Writes a drop-in, and waits until the agent serves what it says. */
export async function addService(context: CliContext, service: string, options: AddOptions): Promise<number> {
  const waitMs = parseDuration(options.wait);
  const places = servicePlaces(context, options.dir);
  const id = options.id ?? service;
  const { namespace } = options;
  const path = dropInOf(places, namespace, id);
  const written = await write(context, places, service, options, { namespace, id, path });
  context.stdout.write(`wrote ${path}\n`);
  for (const upstream of written.upstreams) context.stdout.write(`${service} calls ${describe(upstream)}\n`);
  const digest = createHash("sha256").update(written.text).digest("hex");
  return await untilServed(context, places, { workload: `${namespace}/${id}`, path, digest }, waitMs);
}

interface Instance {
  readonly namespace: string;
  readonly id: string;
  readonly path: string;
}

/** One at a time: two services that are added at once must not be given the same ports. */
async function write(
  context: CliContext,
  places: ServicePlaces,
  service: string,
  options: AddOptions,
  instance: Instance,
): Promise<{ readonly text: string; readonly upstreams: readonly Upstream[] }> {
  return await whileLocked(resolve(options.dir), context, async () => {
    const upstreams = await bindUpstreams(places, instance, options.upstream ?? []);
    const text = `${ADDED}\n${toYaml({ services: [definition(service, options, upstreams)] })}`;
    await assertUsable(text);
    writeDropIn(instance.path, text);
    return { text, upstreams };
  });
}

interface Upstream {
  readonly target: string;
  readonly bind: string | undefined;
}

/** Those that say nothing of the local side get a port of loopback, which is written down: it stays. */
async function bindUpstreams(
  { config }: ServicePlaces,
  { namespace, id, path }: Instance,
  written: readonly string[],
): Promise<readonly Upstream[]> {
  const { services } = await declaredServices(config, "127.0.0.1");
  const mine = services.find((one) => one.id === id && one.namespace === namespace && isThere(path));
  const others = services.filter((one) => one !== mine);
  const taken = new Set(
    others.flatMap(({ address, upstreams }) => [
      address.port,
      ...upstreams.map(({ bindPort, port }) => bindPort ?? port),
    ]),
  );
  const bound: Upstream[] = [];
  for (const text of written) {
    const [target = "", bind] = text.split("@");
    if (bind !== undefined || target.includes(":")) {
      bound.push({ target, bind });
      continue;
    }
    const had = mine?.upstreams.find(({ host }) => host === target)?.bindPort;
    const port = had ?? (await freeUpstreamPort(config.loopback, taken));
    taken.add(port);
    bound.push({ target, bind: String(port) });
  }
  return bound;
}

function definition(service: string, options: AddOptions, upstreams: readonly Upstream[]): object {
  const { id, sa, label, app, namespace, protocol, port, vips, httpProxy } = options;
  const [appAddress, appPort] = splitAt(app ?? "", app?.lastIndexOf(":") ?? -1);
  return {
    name: service,
    ...(id === undefined ? {} : { id }),
    ...(namespace === "default" ? {} : { namespace }),
    ...(sa === undefined ? {} : { serviceAccount: sa }),
    port: Number(port),
    protocol,
    ...(app === undefined
      ? {}
      : { appAddress: appAddress.replace(/^\[|\]$/g, ""), appPort: Number(appPort) }),
    ...(label === undefined
      ? {}
      : { labels: Object.fromEntries(label.map((text) => splitAt(text, text.indexOf("=")))) }),
    ...(vips === undefined ? {} : { vips }),
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(upstreams.length === 0
      ? {}
      : {
          upstreams: upstreams.map(({ target, bind }) => (bind === undefined ? target : `${target}@${bind}`)),
        }),
  };
}

function splitAt(text: string, at: number): readonly [string, string] {
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

async function assertUsable(text: string): Promise<void> {
  const parsed = parseServices(text, await routedAddress());
  if (parsed.ok) return;
  const lines = parsed.violations.map(
    ({ path, message }) => `${path.replace(/^services\[0\]\.?/, "")} ${message}`,
  );
  throw new MeshError("cli.usage", `add the service: ${lines.join("; ")}`, {
    hint: "lateen service add --help",
  });
}

/** As a whole or not at all: the agent looks at the directory all the time. */
function writeDropIn(path: string, text: string): void {
  if (isThere(path) && !readFileSync(path, "utf8").startsWith(ADDED)) {
    throw new MeshError(
      "config.exists",
      `${path} was not written by lateen service add, and is left as it is`,
      {
        hint: "edit it, or give the service another --id",
      },
    );
  }
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new MeshError("cli.host", `make the directory ${folder}: ${messageOf(cause)}`, {
      cause,
      hint: "run it as root",
    });
  }
  replaceFile(path, text, 0o644);
}

interface Expected {
  readonly workload: string;
  readonly path: string;
  readonly digest: string;
}

async function untilServed(
  context: CliContext,
  { config }: ServicePlaces,
  { workload, path, digest }: Expected,
  withinMs: number,
): Promise<number> {
  const { stdout, stderr } = context;
  const found = ({ workloads }: AgentStatus): WorkloadStatus | undefined =>
    workloads.find((one) => one.workload === workload);
  const end = await untilAgent(context, { runDir: config.runDir, withinMs }, (status) => {
    if (found(status)?.state === "refused") return status;
    const problems = concerning(status, workload, path);
    if (status.discovery.files[path] === digest && problems.some(isError)) return status;
    const serves = found(status)?.state === "serving" && !status.leaving.includes(workload);
    return serves && status.discovery.files[path] === digest && isAcknowledged(status) ? status : undefined;
  });
  if (end.kind === "no-agent") {
    stdout.write("no agent runs here: it takes this when it is started\n");
    return EXIT.ok;
  }
  if (end.kind === "timed-out") {
    const { reason, state = "not seen yet" } = found(end.last) ?? {};
    const why =
      end.last.discovery.files[path] === digest ? (reason ?? state) : "the agent has not taken it yet";
    stderr.write(
      `${workload} is not served as it says now after ${withinMs / 1000} s: ${why}${serverAway(end.last)}\n`,
    );
    tellProblems(context, concerning(end.last, workload, path));
    return EXIT.timedOut;
  }
  const served = found(end.answer);
  const problems = concerning(end.answer, workload, path);
  const error = problems.find(isError);
  if (error !== undefined)
    throw new MeshError("cli.host", `${error.code}: ${error.message}`, { hint: error.hint });
  if (served?.state !== "serving")
    throw new MeshError("attest.refused", `the server refuses ${workload}: ${served?.reason ?? ""}`, {
      hint: "a token may be bound to a namespace or to service accounts: lateen token list, on the server's host",
    });
  stdout.write(`${workload} is in the mesh at ${served.inbound.join(", ")} as ${served.spiffeId}\n`);
  tellProblems(context, problems);
  return EXIT.ok;
}

function tellProblems({ stderr }: CliContext, problems: AgentStatus["problems"]): void {
  for (const { code, message, hint } of problems)
    stderr.write(`${code}: ${printable(message)}\ntry: ${printable(hint)}\n`);
}

function isError({ severity }: AgentStatus["problems"][number]): boolean {
  return severity === "error";
}

function concerning(
  status: AgentStatus | undefined,
  workload: string,
  path: string,
): AgentStatus["problems"] {
  return (status?.problems ?? []).filter((one) => one.workload === workload || one.message.includes(path));
}

function describe({ target, bind }: Upstream): string {
  if (bind === undefined) return `${target} at 127.0.0.1:${target.split(":")[1]}`;
  return `${target} at ${bind.includes(":") ? bind : `127.0.0.1:${bind}`}`;
}
