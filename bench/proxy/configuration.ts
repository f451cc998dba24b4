import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../test/harness/eventually.ts";
import { FakeAds } from "../../test/harness/fake-ads.ts";
import { freePorts } from "../../test/harness/test-proxy.ts";
import { outboundHttp, routeConfig, routeTo, staticCluster } from "../../test/harness/xds-samples.ts";
import { type Result, rounded } from "../report.ts";
import { h2load } from "./load.ts";
import { startApplication } from "./nginx.ts";
import { PROXY_CORE, pin, residentKib } from "./processes.ts";
import { SHIPPED_PROXY } from "./shipped-proxy.ts";

/** Told which file to write, it notes what the event loop of the proxy does. */
const WATCHER = resolve(import.meta.dirname, "watch-turns.js");
const COUNT = 5000;
const ROUTES = "all";

/** A turn of the event loop, or several short ones. */
interface Turn {
  /** Since the epoch. */
  readonly endMs: number;
  readonly cpuMs: number;
}

/** How long a proxy takes for 5,000 routes and clusters that arrive at once, and what its requests feel of it. */
export async function configurationArrives(folder: string): Promise<readonly Result[]> {
  await using stack = new AsyncDisposableStack();
  const [appPort = 0, port = 0] = await freePorts(2);
  stack.use(await startApplication(folder, "configuration", `127.0.0.1:${appPort}`));
  const ads = stack.use(new FakeAds(join(folder, "xds.sock")));
  await ads.start();
  ads.set("cluster", "c0", staticCluster("c0", [appPort]));
  ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo("c0")]));
  ads.set("listener", "in", outboundHttp(port, ROUTES));
  const bootstrap = join(folder, "proxy.json");
  await writeFile(
    bootstrap,
    JSON.stringify({
      node: { id: "sidecar~127.0.0.1~bench.default~default.svc.cluster.local" },
      xdsSocket: join(folder, "xds.sock"),
      adminSocket: join(folder, "admin.sock"),
    }),
  );
  const [node = "", ...program] = SHIPPED_PROXY;
  const turnsFile = join(folder, "turns.json");
  const child = spawn(node, ["--import", WATCHER, ...program, "--bootstrap", bootstrap], {
    stdio: "ignore",
    env: { ...process.env, LATEEN_BENCH_TURNS: turnsFile },
  });
  const ended = once(child, "exit");
  stack.defer(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  await pin(child.pid ?? 0, PROXY_CORE);
  const url = `http://127.0.0.1:${port}/`;
  await eventually("it serves", async () => (await fetch(url).catch(() => undefined))?.ok === true);
  await h2load(url, { connections: 4, streams: 1, seconds: 2, http1: true, rate: 200 });
  const idleMib = residentKib(child.pid ?? 0) / 1024;
  // Encoded beforehand: this process has its core in common with who measures.
  const names = Array.from({ length: COUNT }, (_, index) => `c${index + 1}`);
  const pushClusters = ads.prepare(
    "cluster",
    names.map((name) => [name, staticCluster(name, [appPort])]),
  );
  const routes = names.map((name, index) => routeTo(name, { match: { prefix: `/service-${index}/` } }));
  const pushRoutes = ads.prepare("route", [[ROUTES, routeConfig(ROUTES, [...routes, routeTo("c0")])]]);
  const load = h2load(url, { connections: 4, streams: 1, seconds: 8, http1: true, rate: 200 });
  await delay(2000);
  const acknowledged = ads.acks("route");
  const start = performance.now();
  pushClusters();
  pushRoutes();
  await eventually("the routes are there", () => ads.acks("route") > acknowledged, 30_000);
  const readyMs = performance.now() - start;
  const { maxMs } = await load;
  child.kill("SIGTERM");
  await ended;
  const turns = JSON.parse(await readFile(turnsFile, "utf8")) as readonly Turn[];
  const longestMs = Math.max(
    ...turns.filter(({ endMs }) => endMs >= performance.timeOrigin + start).map(({ cpuMs }) => cpuMs),
  );
  const row = (name: string, value: number, target: number, unit: string): Result => ({
    name,
    value: rounded(value),
    unit,
    target,
    better: "lower",
  });
  return [
    row(`${COUNT} routes and clusters: until they are in force`, readyMs, 1000, "ms"),
    row(`${COUNT} routes and clusters: slowest request meanwhile`, maxMs, 20, "ms"),
    row(`${COUNT} routes and clusters: longest turn of the event loop, CPU`, longestMs, 10, "ms"),
    row("memory: idle, with a listener", idleMib, 65, "MiB"),
  ];
}
