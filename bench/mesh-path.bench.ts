/**
 * What a call through the mesh costs: a workload's upstream listener, mutual TLS, the other workload's inbound listener,
 * its application; 64 connections. The figure to trust is the CPU that both proxies take for a request, which hardly
 * depends on what else the machine does. Rates and latencies are those of the whole, this load generator and the
 * application included.
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import { findTool } from "../setup/find-tool.ts";
import { DATA_PLANES, type DataPlaneKind, type Mesh, startMesh } from "../test/harness/mesh.ts";
import { bindPortOf } from "../test/harness/mesh-topology.ts";
import { percentile, type Result, report, rounded } from "./report.ts";

const CONNECTIONS = 64;
const ROUND_MS = 10_000;
const WARM_UP_MS = 3_000;
const ROUNDS = 3;
/** The kernel counts CPU time in these, on every Linux that Node runs on (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
const HOSTS = [
  { name: "caller-1", service: "caller", upstreams: ["target"] },
  { name: "target-1", service: "target" },
] as const;

interface Round {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const rounds = new Map<DataPlaneKind, Round[]>();
{
  await using stack = new AsyncDisposableStack();
  const meshes: Mesh[] = [];
  for (const dataPlane of DATA_PLANES) {
    if (dataPlane === "envoy" && findTool("envoy") === undefined) {
      console.log("left out Envoy: there is none (make tools fetches it)");
      continue;
    }
    meshes.push(stack.use(await startMesh({ dataPlane, hosts: HOSTS })));
  }
  for (const mesh of meshes) await load(mesh, WARM_UP_MS);
  for (let round = 0; round < ROUNDS; round++) {
    for (const mesh of meshes) {
      const taken = await load(mesh, ROUND_MS);
      rounds.set(mesh.dataPlane, [...(rounds.get(mesh.dataPlane) ?? []), taken]);
    }
  }
}
await report("mesh-path", results());

async function load(mesh: Mesh, ms: number): Promise<Round> {
  const pids = await Promise.all(HOSTS.map(async ({ name }) => await dataPlanePid(mesh, name)));
  const { spec } = mesh.host("caller-1");
  const origin = `http://${spec.loopback}:${bindPortOf(spec, "target")}`;
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1 });
  await using closing = new AsyncDisposableStack();
  closing.defer(() => pool.close());
  const latencies: number[] = [];
  const before = cpuTicks(pids);
  const start = performance.now();
  const call = async (): Promise<void> => {
    while (performance.now() - start < ms) {
      const sent = performance.now();
      const { statusCode, body } = await pool.request({ path: "/", method: "GET" });
      await body.dump();
      if (statusCode !== 200) throw new Error(`${mesh.dataPlane} answered ${statusCode}`);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, call));
  const elapsedMs = performance.now() - start;
  // The proxies may still be busy with the last answers' bookkeeping.
  await delay(200);
  return {
    cpuUs: ((cpuTicks(pids) - before) * 1e6) / TICKS_PER_SECOND / latencies.length,
    perSecond: (latencies.length * 1000) / elapsedMs,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  };
}

async function dataPlanePid(mesh: Mesh, host: string): Promise<number> {
  const { dataPlane } = await mesh.host(host).serving();
  if (dataPlane.pid === undefined) throw new Error(`${host} has no data plane`);
  return dataPlane.pid;
}

/** User and system time of all threads: fields 14 and 15 of proc_pid_stat(5). */
function cpuTicks(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return sum + Number(fields[11]) + Number(fields[12]);
  }, 0);
}

function results(): readonly Result[] {
  const figures = [
    { name: "CPU of both proxies per request", unit: "µs", better: "lower", of: "cpuUs" },
    { name: "requests", unit: "per second", better: "higher", of: "perSecond" },
    { name: "latency p50", unit: "ms", better: "lower", of: "p50Ms" },
    { name: "latency p99", unit: "ms", better: "lower", of: "p99Ms" },
  ] as const;
  return figures.map(({ name, unit, better, of }) => {
    const middle = (dataPlane: DataPlaneKind): number =>
      rounded(percentile(rounds.get(dataPlane)?.map((round) => round[of]) ?? [], 0.5));
    const peer = rounds.has("envoy") ? { peer: { name: "Envoy", value: middle("envoy") } } : {};
    return { name: `built-in: ${name}`, value: middle("builtin"), unit, target: null, better, ...peer };
  });
}
