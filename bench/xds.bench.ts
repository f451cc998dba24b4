/**
 * The xDS server under load: the real server (snapshot, translation, delta ADS over TLS 1.3) in one process, proxies in
 * two others, all on the cores of this machine. Each proxy is captured (`interception: redirect`, `discovery: mesh`), has a
 * TLS connection of its own (unless a row says otherwise), subscribes as Envoy does and acknowledges at once; it is an
 * instance of one of the services. The services are HTTP, ten to a port, one in ten with a VirtualService.
 *
 * `make bench-xds ARGS=quick` takes a tenth of everything.
 */
import { latencies, percentile, type Result, report, rounded } from "./report.ts";
import type { MeshLayout } from "./xds-messages.ts";
import { type ChangeSamples, XdsRun } from "./xds-run.ts";

const SCALE = process.argv.includes("quick") ? 0.1 : 1;
const SERVICES_PER_PORT = 10;
const scaled = (count: number): number => Math.ceil(count * SCALE);
const CHANGES = scaled(100);
const FEW = 10;

function layout(services: number, proxies: number, scoped?: MeshLayout["scoped"]): MeshLayout {
  const ports = Math.ceil(services / SERVICES_PER_PORT);
  return { services, endpoints: 10, ports, proxies, ...(scoped === undefined ? {} : { scoped }) };
}

const every = (step: number, to: number, from = 0): readonly number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step);

const results: Result[] = [
  ...(await allSubscribed(scaled(1000), scaled(1000))),
  ...(await fewSubscribed(scaled(1000), scaled(1000))),
  ...(await tenOnAConnection(scaled(1000), scaled(1000))),
  ...(await memory("a connection each", 1)),
  ...(await memory("ten on a connection", 10)),
  ...(await manyServices(scaled(10_000))),
  ...(await growthWithServices([100, 300, 1000, 3000, 10_000].map(scaled))),
  ...(await growthWithProxies([10, 100, 500, 1000, 2000].map(scaled))),
];
await report("xds", results);

async function allSubscribed(services: number, proxies: number): Promise<readonly Result[]> {
  await using run = await XdsRun.start(layout(services, proxies));
  const before = await run.usage();
  const coldMs = await run.connect(proxies);
  const cpuMs = (await run.usage()).cpuMs - before.cpuMs;
  const mesh = `${services} services × 10, ${proxies} proxies`;
  const endpoint = await run.measure({
    kind: "endpoint",
    services: every(7, services),
    changes: CHANGES,
    warmUp: 10,
  });
  const route = await run.measure({
    kind: "route",
    services: every(10, services),
    changes: CHANGES,
    warmUp: 10,
  });
  return [
    row(`${mesh}: cold start`, coldMs / 1000, "s", 15),
    row(`${mesh}: cold start, CPU of the server`, cpuMs / proxies, "ms per proxy"),
    ...latencies(`${mesh}: endpoint to the last proxy`, endpoint.latencies, { p50: 50, p99: 150 }),
    ...costs(`${mesh}: endpoint`, endpoint, proxies),
    ...latencies(`${mesh}: VirtualService to the last proxy`, route.latencies).map((one) =>
      one.name.endsWith("p99") ? { ...one, target: 250 } : one,
    ),
    ...costs(`${mesh}: VirtualService`, route, proxies),
  ];
}

/** All but ten proxies are limited by a Sidecar to a tenth of the services; others of these change. */
async function fewSubscribed(services: number, proxies: number): Promise<readonly Result[]> {
  const scoped = { proxies: proxies - FEW, services: Math.ceil(services / 10) };
  await using run = await XdsRun.start(layout(services, proxies, scoped));
  await run.connect(proxies);
  const samples = await run.measure({
    kind: "endpoint",
    services: every(7, services, scoped.services),
    receivers: FEW,
    changes: CHANGES,
    warmUp: 10,
  });
  const name = `endpoint of a service that ${FEW} of ${proxies} have`;
  return [
    row(`${name}: p50`, percentile(samples.latencies, 0.5), "ms"),
    row(`${name}: p99`, percentile(samples.latencies, 0.99), "ms", 15),
    row(`${name}: proxies that are sent anything else`, samples.streams - FEW, "proxies", 0),
    row(`${name}: CPU`, samples.cpuMsPerChange, "ms per change"),
  ];
}

/** What a second batch of proxies adds: the first has paid for what is shared. */
async function memory(name: string, streamsPerConnection: number): Promise<readonly Result[]> {
  const batch = scaled(300);
  const services = scaled(1000);
  await using run = await XdsRun.start(layout(services, 2 * batch), streamsPerConnection);
  await run.connect(batch);
  const first = await run.usage();
  await run.connect(batch);
  const second = await run.usage();
  const each = (key: "rssBytes" | "liveBytes" | "heapBytes"): number =>
    (second[key] - first[key]) / batch / 1024;
  const mesh = `memory of a connected proxy, ${services} services, ${name}`;
  return [
    row(`${mesh}: in use`, each("liveBytes"), "KiB", 150),
    row(`${mesh}: of that, JavaScript and buffers`, each("heapBytes"), "KiB"),
    row(`${mesh}: resident, with garbage that was not given back`, each("rssBytes"), "KiB"),
  ];
}

/** As on hosts with several workloads: their streams share the agent's connection. */
async function tenOnAConnection(services: number, proxies: number): Promise<readonly Result[]> {
  await using run = await XdsRun.start(layout(services, proxies), 10);
  await run.connect(proxies);
  const samples = await run.measure({
    kind: "endpoint",
    services: every(7, services),
    changes: CHANGES,
    warmUp: 10,
  });
  const name = `${services} services × 10, ${proxies} proxies, ten on a connection: endpoint`;
  return [
    ...latencies(`${name} to the last proxy`, samples.latencies, { p50: 50, p99: 150 }),
    row(`${name}, CPU of the server`, samples.cpuMsPerChange, "ms per change"),
  ];
}

async function manyServices(services: number): Promise<readonly Result[]> {
  await using run = await XdsRun.start(layout(services, FEW));
  await run.connect(FEW);
  const samples = await run.measure({
    kind: "endpoint",
    services: every(97, services),
    changes: CHANGES,
    warmUp: 20,
  });
  const name = `${services} services × 10, ${FEW} proxies`;
  return [
    row(`${name}: snapshot and a first proxy's resources from nothing`, run.snapshotMs / 1000, "s", 5),
    row(`${name}: endpoint, CPU`, samples.cpuMsPerChange, "ms per change", 5),
    row(`${name}: endpoint to the last proxy p99`, percentile(samples.latencies, 0.99), "ms"),
  ];
}

async function growthWithServices(counts: readonly number[]): Promise<readonly Result[]> {
  const rows: Result[] = [];
  for (const services of counts) {
    await using run = await XdsRun.start(layout(services, FEW));
    await run.connect(FEW);
    const changed = async (kind: "endpoint" | "route", step: number): Promise<number> => {
      const plan = { kind, services: every(step, services), changes: CHANGES, warmUp: 20 };
      return (await run.measure(plan)).cpuMsPerChange;
    };
    const mesh = `${FEW} proxies, ${services} services`;
    rows.push(
      row(`${mesh}: endpoint, CPU`, await changed("endpoint", 7), "ms per change"),
      row(`${mesh}: VirtualService, CPU`, await changed("route", 10), "ms per change"),
    );
  }
  return rows;
}

async function growthWithProxies(counts: readonly number[]): Promise<readonly Result[]> {
  const rows: Result[] = [];
  const services = scaled(100);
  for (const proxies of counts) {
    await using run = await XdsRun.start(layout(services, proxies));
    await run.connect(proxies);
    const samples = await run.measure({
      kind: "endpoint",
      services: every(7, services),
      changes: scaled(50),
      warmUp: 10,
    });
    const name = `${services} services, ${proxies} proxies: endpoint`;
    rows.push(
      row(`${name}, CPU`, samples.cpuMsPerChange, "ms per change"),
      row(`${name} to the last proxy p50`, percentile(samples.latencies, 0.5), "ms"),
    );
  }
  return rows;
}

function costs(name: string, { cpuMsPerChange, resources, bytes }: ChangeSamples, proxies: number): Result[] {
  return [
    row(`${name}, CPU of the server`, cpuMsPerChange, "ms per change"),
    row(`${name}, sent`, bytes / proxies, "bytes per proxy"),
    row(`${name}, resources sent`, resources / proxies, "per proxy", 1),
  ];
}

function row(name: string, value: number, unit: string, target: number | null = null): Result {
  return { name, value: rounded(value, 2), unit, target, better: "lower" };
}
