import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { declaredServices, parseServices, routedAddress } from "../../agent/offline.ts";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { CliContext } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { toYaml } from "../output/render.ts";
import { agentStatus } from "./agent-socket.ts";
import { freeUpstreamPort } from "./free-port.ts";
import { ADDED, dropInOf, type ServicePlaces, servicePlaces } from "./service-places.ts";

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

const LOOK_MS = 50;

/** Writes a drop-in, and waits until the agent serves what it says. */
export async function addService(context: CliContext, service: string, options: AddOptions): Promise<number> {
  const waitMs = parseDuration(options.wait);
  const places = servicePlaces(context, options.dir);
  const id = options.id ?? service;
  const { namespace } = options;
  const path = dropInOf(places, namespace, id);
  const upstreams = await bindUpstreams(places, { namespace, id, path }, options.upstream ?? []);
  const text = `${ADDED}\n${toYaml({ services: [definition(service, options, upstreams)] })}`;
  await assertUsable(text);
  const before = await agentStatus(places.config.runDir, context.signal);
  writeDropIn(path, text);
  context.stdout.write(`wrote ${path}\n`);
  for (const upstream of upstreams) context.stdout.write(`${service} calls ${describe(upstream)}\n`);
  if (before === undefined) {
    context.stdout.write("no agent runs here: it takes this when it is started\n");
    return EXIT.ok;
  }
  return await untilServed(context, places, `${namespace}/${id}`, path, waitMs);
}

interface Upstream {
  readonly target: string;
  readonly bind: string | undefined;
}

/** Those that say nothing of the local side get a port of loopback, which is written down: it stays. */
async function bindUpstreams(
  { config }: ServicePlaces,
  { namespace, id, path }: { readonly namespace: string; readonly id: string; readonly path: string },
  written: readonly string[],
): Promise<readonly Upstream[]> {
  const { services } = await declaredServices(config, "127.0.0.1");
  const mine = services.find((one) => one.id === id && one.namespace === namespace && existsSync(path));
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
  if (existsSync(path) && !readFileSync(path, "utf8").startsWith(ADDED)) {
    throw new MeshError(
      "config.exists",
      `${path} was not written by lateen service add, and is left as it is`,
      {
        hint: "edit it, or give the service another --id",
      },
    );
  }
  try {
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o755 });
    writeFileSync(`${path}.tmp`, text, { mode: 0o644 });
    renameSync(`${path}.tmp`, path);
  } catch (cause) {
    throw new MeshError("cli.host", `write ${path}: ${messageOf(cause)}`, { cause, hint: "run it as root" });
  }
}

async function untilServed(
  context: CliContext,
  { config }: ServicePlaces,
  workload: string,
  path: string,
  waitMs: number,
): Promise<number> {
  const { clock, signal, stdout, stderr } = context;
  const patience = clock.monotonic() + waitMs;
  for (;;) {
    const status = await agentStatus(config.runDir, signal);
    const found = status?.workloads.find((one) => one.workload === workload);
    const problems = concerning(status, workload, path);
    if (found?.state === "serving") {
      stdout.write(`${workload} is in the mesh at ${found.inbound.join(", ")} as ${found.spiffeId}\n`);
      for (const { code, message, hint } of problems) stderr.write(`${code}: ${message}\ntry: ${hint}\n`);
      return EXIT.ok;
    }
    const error = problems.find(({ severity }) => severity === "error");
    if (error !== undefined)
      throw new MeshError("cli.host", `${error.code}: ${error.message}`, { hint: error.hint });
    if (found?.state === "refused")
      throw new MeshError("attest.refused", `the server refuses ${workload}: ${found.reason ?? ""}`, {
        hint: "a token may be bound to a namespace or to service accounts: lateen token list, on the server's host",
      });
    if (clock.monotonic() > patience) {
      stderr.write(
        `${workload} is not served after ${waitMs / 1000} s: ${found?.reason ?? found?.state ?? "not seen yet"}\n`,
      );
      return EXIT.timedOut;
    }
    await clock.sleep(LOOK_MS, signal);
    signal.throwIfAborted();
  }
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
