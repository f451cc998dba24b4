/** An agent's DNS with a large mesh, and a resolver for it on a thread of its own; tells its port, then its CPU time when asked. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { DnsServer } from "../../agent/dns/dns-server.ts";
import { MeshNames } from "../../agent/dns/mesh-names.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { HostName } from "../../mesh/xds/gen/lateen/names/v1/names.ts";

const hosts = Number(process.argv[2]);
const upstream = new Worker(new URL("./resolver.ts", import.meta.url));
const [upstreamPort] = (await once(upstream, "message")) as [number];

const free = createSocket("udp4");
free.bind(0, "127.0.0.1");
await once(free, "listening");
const { port } = free.address();
free.close();

const heapBefore = process.memoryUsage().heapUsed;
const names = new MeshNames();
names.serve(new Map([["default/web", "loopback"]]));
names.follow("default/web")?.({
  upserts: Array.from({ length: hosts }, (_, at) => toResource(at)),
  removals: [],
});
const server = new DnsServer({
  listen: [{ address: "127.0.0.1", port }],
  upstreams: [`127.0.0.1:${upstreamPort}`],
  domains: {},
  files: { resolvConf: "/nowhere", resolved: "/nowhere" },
  zones: ["mesh", "svc.cluster.local"],
  names,
  clock: systemClock,
  logger: silentLogger,
});
void server.run(new AbortController().signal);
while (server.state.places.some(({ problem }) => problem !== undefined))
  await new Promise((resolve) => setTimeout(resolve, 10));
process.send?.({ port, tableMiB: (process.memoryUsage().heapUsed - heapBefore) / (1 << 20) });
process.on("message", () => {
  // The resolver's thread is the resolver's own affair.
  const { user, system } = process.threadCpuUsage();
  process.send?.(user + system);
});

function toResource(at: number): { readonly name: string; readonly bytes: Uint8Array } {
  const service = `service-${at}`;
  const name = `${service}.default.svc.cluster.local`;
  const aliases = [
    service,
    `${service}.default`,
    `${service}.default.svc`,
    `${service}.default.mesh`,
    `${service}.mesh`,
  ];
  const addresses = [`240.240.${at >> 8}.${at & 255}`];
  return {
    name,
    bytes: HostName.encode({
      hostname: name,
      aliases,
      addresses,
      ports: [{ number: 80, name: "http" }],
    }).finish(),
  };
}
