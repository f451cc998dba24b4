/**
 * The built-in proxy beside Envoy, haproxy and nginx: the same work, interleaved, proxies on one core and everything
 * else on the other. The figure to trust is CPU for each unit of work, of all proxies on its way, which hardly depends on
 * what else the machine does; rates and latencies are told beside it. `quick` takes one short round.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findTool } from "../setup/find-tool.ts";
import { DATA_PLANES } from "../test/harness/mesh.ts";
import { freePorts } from "../test/harness/test-proxy.ts";
import { configurationArrives } from "./proxy/configuration.ts";
import { BenchMesh } from "./proxy/ground.ts";
import { h2load, type Load, wrk } from "./proxy/load.ts";
import { startHaproxy, startNginxProxy } from "./proxy/nginx.ts";
import { cpuUs, LOAD_CORE, pin } from "./proxy/processes.ts";
import { percentile, type Result, report, rounded } from "./report.ts";

const quick = process.argv.includes("quick");
const only = process.argv.find((argument) => argument.startsWith("only="))?.slice(5);
const SECONDS = quick ? 2 : 5;
const ROUNDS = quick ? 1 : 3;

type Rival = "builtin" | "envoy" | "haproxy" | "nginx";

interface Work {
  readonly name: string;
  readonly unit: string;
  /** Of the built-in proxy's CPU for a unit, by that of others. */
  readonly targets: Partial<Record<Rival, number>>;
  run(rival: Rival, seconds: number): Promise<Load>;
  /** Of all proxies on the way. */
  pids(rival: Rival): readonly number[];
  /** Latency is the figure, at a steady rate. */
  readonly steady?: boolean;
}

interface Round extends Load {
  readonly cpuUs: number;
}

await using stack = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "lateen-bench-proxy-"));
stack.defer(() => rm(folder, { recursive: true, force: true }));
const meshes = new Map<Rival, BenchMesh>();
for (const dataPlane of DATA_PLANES) {
  if (dataPlane === "envoy" && findTool("envoy") === undefined) {
    console.log("left out Envoy: there is none (make tools fetches it)");
    continue;
  }
  console.log(`starting a mesh with ${dataPlane} …`);
  meshes.set(dataPlane, stack.use(await BenchMesh.start(dataPlane, folder)));
}
const application = meshOf("builtin").direct();
const [haproxyPort = 0, nginxPort = 0] = await freePorts(2);
const others = new Map<Rival, { readonly pid: number; readonly url: string }>();
{
  const haproxy = stack.use(await startHaproxy(folder, `127.0.0.1:${haproxyPort}`, application));
  const nginx = stack.use(await startNginxProxy(folder, `127.0.0.1:${nginxPort}`, application));
  others.set("haproxy", { pid: haproxy.pid, url: `http://127.0.0.1:${haproxyPort}` });
  others.set("nginx", { pid: nginx.pid, url: `http://127.0.0.1:${nginxPort}` });
}

await pin(process.pid, LOAD_CORE);

const works: readonly Work[] = [
  meshPath("small GET, 1 connection", { envoy: 1 }, (url, seconds) => wrk(url, { connections: 1, seconds })),
  meshPath("small GET, 64 connections", { envoy: 0.5 }, (url, seconds) =>
    wrk(url, { connections: 64, seconds }),
  ),
  meshPath("small GET, 256 connections", { envoy: 0.35 }, (url, seconds) =>
    wrk(url, { connections: 256, seconds }),
  ),
  meshPath("16 KiB, 64 connections", { envoy: 1 }, (url, seconds) =>
    wrk(`${url}/16k`, { connections: 64, seconds }),
  ),
  {
    name: "mesh path, gRPC unary, 8 × 16 streams",
    unit: "call",
    targets: { envoy: 0.6 },
    run: (rival, seconds) =>
      h2load(`${meshOf(rival).through("rpc")}/`, {
        connections: 8,
        streams: 16,
        seconds,
        body: Buffer.from([0, 0, 0, 0, 24, ...Buffer.alloc(24, 7)]),
        headers: ["content-type: application/grpc", "te: trailers"],
      }),
    pids: (rival) => meshOf(rival).pids("rpc", true),
  },
  {
    name: "mesh path, TCP, new connection each",
    unit: "connection",
    targets: { envoy: 0.2 },
    run: (rival, seconds) =>
      wrk(`${meshOf(rival).through("bytes")}/`, { connections: 16, seconds, close: true }),
    pids: (rival) => meshOf(rival).pids("bytes", true),
  },
  {
    name: "mesh path, TCP, bulk",
    unit: "MB",
    targets: { envoy: 1.1 },
    run: (rival, seconds) =>
      wrk(`${meshOf(rival).through("bytes")}/bulk`, { connections: 4, seconds, countMegabytes: true }),
    pids: (rival) => meshOf(rival).pids("bytes", true),
  },
  {
    ...meshPath("1,000 requests/s", {}, (url, seconds) =>
      h2load(url, { connections: 16, streams: 1, seconds, http1: true, rate: 1000 }),
    ),
    steady: true,
  },
  {
    name: "one proxy, plain HTTP/1.1, 64 connections",
    unit: "request",
    targets: { envoy: 0.9, haproxy: 1.2 },
    run: (rival, seconds) =>
      wrk(`${others.get(rival)?.url ?? meshOf(rival).plain()}/`, { connections: 64, seconds }),
    pids: (rival) => {
      const other = others.get(rival);
      return other ? [other.pid] : meshOf(rival).pids("web", false);
    },
  },
];

const results: Result[] = [];
// Before anything else: memory that was used once is not given back.
if (only === undefined || "memory".includes(only)) {
  console.log("memory …");
  const count = quick ? 200 : 1000;
  const [own = 0, peer] = await Promise.all(
    [...meshes.values()].map((mesh) => mesh.idleConnectionKib(count)),
  );
  results.push({
    name: `memory: idle connection with mutual TLS, ${count} of them`,
    value: rounded(own),
    unit: "KiB",
    target: 60,
    better: "lower",
    ...(peer === undefined ? {} : { peer: { name: "Envoy", value: rounded(peer) } }),
  });
}
for (const work of works) {
  if (only !== undefined && !work.name.includes(only)) continue;
  if (work.name.startsWith("one proxy")) for (const mesh of meshes.values()) await mesh.allowPlaintext();
  console.log(`${work.name} …`);
  const rounds = await measure(work);
  results.push(...figures(work, rounds));
}
if (only === undefined || "configuration".includes(only)) {
  console.log("configuration …");
  results.push(...(await configurationArrives(folder)));
}
await report("proxy", results);

function meshOf(rival: Rival): BenchMesh {
  const mesh = meshes.get(rival);
  if (mesh === undefined) throw new Error(`there is no mesh with ${rival}`);
  return mesh;
}

function meshPath(
  name: string,
  targets: Work["targets"],
  run: (url: string, seconds: number) => Promise<Load>,
): Work {
  return {
    name: `mesh path, ${name}`,
    unit: "request",
    targets,
    run: (rival, seconds) => run(meshOf(rival).through("web"), seconds),
    pids: (rival) => meshOf(rival).pids("web", true),
  };
}

/** A short warm-up, then rounds in turn. A rival that cannot do the work is left out, with its reason. */
async function measure(work: Work): Promise<ReadonlyMap<Rival, readonly Round[]>> {
  const rivals: Rival[] = [...meshes.keys(), ...(work.name.startsWith("one proxy") ? others.keys() : [])];
  const rounds = new Map<Rival, Round[]>();
  for (const rival of rivals) {
    try {
      await work.run(rival, quick ? 1 : 2);
      rounds.set(rival, []);
    } catch (error) {
      console.log(`  ${rival} is left out: ${String(error).split("\n", 1)[0]}`);
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [rival, taken] of rounds) {
      const pids = work.pids(rival);
      const before = cpuUs(pids);
      const load = await work.run(rival, SECONDS);
      // The last answers' bookkeeping is theirs too.
      await delay(100);
      taken.push({ ...load, cpuUs: (cpuUs(pids) - before) / load.units });
    }
  }
  return rounds;
}

function figures(work: Work, rounds: ReadonlyMap<Rival, readonly Round[]>): Result[] {
  const middle = (rival: Rival, of: keyof Round): number =>
    percentile(rounds.get(rival)?.map((round) => round[of]) ?? [], 0.5);
  if (!rounds.has("builtin")) {
    return [
      {
        name: `${work.name}: not done by the built-in proxy`,
        value: 0,
        unit: "–",
        target: 1,
        better: "higher",
      },
    ];
  }
  const own = middle("builtin", "cpuUs");
  const rows: Result[] = [];
  for (const rival of rounds.keys()) {
    if (rival === "builtin") continue;
    const name = rival === "envoy" ? "Envoy" : rival;
    rows.push({
      name: `${work.name}: CPU, ${name} = 1`,
      value: rounded(own / middle(rival, "cpuUs"), 2),
      unit: "×",
      target: work.targets[rival] ?? null,
      better: "lower",
      peer: { name: `µs for a ${work.unit}: ${rounded(own)},`, value: rounded(middle(rival, "cpuUs")) },
    });
  }
  // A bulk transfer has no answer's time.
  for (const [label, of] of work.unit === "MB"
    ? []
    : ([
        ["p50", "p50Ms"],
        ["p99", "p99Ms"],
      ] as const)) {
    const envoy = rounds.has("envoy") ? rounded(middle("envoy", of), 2) : undefined;
    rows.push({
      name: `${work.name}: ${label}`,
      value: rounded(middle("builtin", of), 2),
      unit: "ms",
      target: work.steady && envoy !== undefined ? envoy : null,
      better: "lower",
      ...(envoy === undefined ? {} : { peer: { name: "Envoy", value: envoy } }),
    });
  }
  rows.push({
    name: `${work.name}: rate`,
    value: rounded(middle("builtin", "perSecond")),
    unit: `${work.unit}s/s`,
    target: null,
    better: "higher",
    ...(rounds.has("envoy") ? { peer: { name: "Envoy", value: rounded(middle("envoy", "perSecond")) } } : {}),
  });
  return rows;
}
