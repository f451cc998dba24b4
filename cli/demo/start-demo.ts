import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import type { CreatedTokenReply, List, ProxyReply } from "../../mesh/admin-api/replies.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { VERSION } from "../../mesh/version.ts";
import { AdminClient } from "../client.ts";
import { type DemoCatalog, embeddedCatalog } from "./catalog.ts";
import { DemoMesh } from "./demo-mesh.ts";
import type { DemoProcesses } from "./demo-processes.ts";
import { type DemoHost, NAMESPACE, type Topology, TRUST_DOMAIN } from "./topology.ts";
import { pause } from "./traffic.ts";

const START_LIMIT_MS = 60_000;

export interface DemoOptions {
  readonly topology: Topology;
  readonly dataPlane: "builtin" | "envoy";
  readonly envoy: string | undefined;
  /** A real Consul to register in and to discover from; undefined: the server's embedded catalog. */
  readonly consul: { readonly address: string; readonly catalog: DemoCatalog } | undefined;
  readonly processes: DemoProcesses;
  /** One line per part that has come up. */
  readonly report: (part: string, detail: string) => void;
  /** How far the part is that is awaited. */
  readonly progress: (state: string) => void;
}

/** Brings the whole mesh up, as far as every proxy being SYNCED. Throws with the failing part's last words. */
export async function startDemo(options: DemoOptions): Promise<DemoMesh> {
  const { topology, processes, report } = options;
  await mkdir(join(processes.directory, "logs"), { recursive: true, mode: 0o700 });
  const admin = await startServer(options);
  report("control plane", `${topology.server.address}:${topology.server.agentPort}   (xDS, CA, join)`);
  report("certificate authority", `spiffe://${TRUST_DOMAIN}`);
  const catalog = options.consul?.catalog ?? embeddedCatalog(admin, (host) => servicesFile(processes, host));
  await Promise.all(topology.hosts.map(async (host) => await catalog.register(host)));
  report("registry", catalog.name);
  for (const host of topology.hosts) processes.startApplication(host);
  report("bookinfo", "productpage ×1  details ×1  reviews v1 v2 v3  ratings ×1");
  await Promise.all(topology.hosts.map(async (host) => await startHost(options, admin, catalog, host)));
  const mesh = new DemoMesh({ topology, dataPlane: options.dataPlane, admin, catalog, processes });
  await waitUntilSynced(mesh, processes, options.progress);
  report(`${topology.hosts.length} proxies SYNCED`, options.dataPlane);
  return mesh;
}

async function startServer({ topology, processes, consul }: DemoOptions): Promise<AdminClient> {
  const { address, agentPort, adminPort, healthPort } = topology.server;
  const runDir = join(processes.directory, "run");
  const configFile = join(processes.directory, "server.yaml");
  const config = {
    trustDomain: TRUST_DOMAIN,
    stateDir: join(processes.directory, "server"),
    runDir,
    agents: { address, port: agentPort, advertise: [`${address}:${agentPort}`] },
    admin: { address, port: adminPort },
    health: { address, port: healthPort },
    ...(consul === undefined ? {} : { consul: { address: consul.address } }),
  };
  await writeFile(configFile, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  processes.startServer(configFile);
  const admin = new AdminClient({ socketPath: join(runDir, "admin.sock") });
  await until(processes, "the control plane", async () => {
    await admin.get("/v1/version");
  });
  return admin;
}

async function startHost(
  { processes, dataPlane, envoy }: DemoOptions,
  admin: AdminClient,
  catalog: DemoCatalog,
  host: DemoHost,
): Promise<void> {
  const directory = processes.hostDir(host.name);
  const stateDir = join(directory, "state");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { discovery, services } = catalog.discoveryOf(host);
  if (services !== undefined) await writeJson(servicesFile(processes, host), services);
  await writeJson(processes.agentConfigOf(host.name), {
    nodeName: host.name,
    address: host.address,
    loopback: host.loopback,
    discovery,
    dataPlane,
    ...(envoy === undefined ? {} : { envoy }),
    stateDir,
    runDir: processes.runDirOf(host.name),
    status: { address: host.loopback },
    dns: { listen: [] },
    drainSeconds: 2,
  });
  const { token } = await admin.post<CreatedTokenReply>("/v1/tokens", {
    namespace: NAMESPACE,
    serviceAccounts: [host.serviceAccount],
    node: host.name,
  });
  await joinMesh(invitationOf(token), {
    nodeName: host.name,
    stateDir,
    agentVersion: VERSION,
    clock: systemClock,
    logger: silentLogger,
    signal: processes.signal,
  });
  processes.startAgent(host);
}

async function waitUntilSynced(
  mesh: DemoMesh,
  processes: DemoProcesses,
  progress: DemoOptions["progress"],
): Promise<void> {
  await until(processes, "all proxies", async () => {
    const { items } = await mesh.admin.get<List<ProxyReply>>("/v1/proxy-status");
    const synced = items.filter((proxy) =>
      Object.values(proxy.types).every((type) => type.state === "SYNCED" || type.state === "IGNORED"),
    );
    progress(`${synced.length} of ${mesh.topology.hosts.length} proxies SYNCED`);
    if (synced.length < mesh.topology.hosts.length) {
      throw new Error(`${synced.length} of ${mesh.topology.hosts.length} are SYNCED`);
    }
    const page = await mesh.browser.get("/productpage");
    if (page.status !== 200 || page.body.includes("unavailable")) {
      throw new Error(`productpage answers ${page.status} ${page.failure}`);
    }
  });
}

async function until(processes: DemoProcesses, what: string, attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  let last = "";
  while (performance.now() < deadline) {
    processes.signal.throwIfAborted();
    processes.assertRunning();
    try {
      await attempt();
      return;
    } catch (error) {
      last = messageOf(error);
    }
    await pause(50, processes.signal);
  }
  throw new MeshError("internal", `wait for ${what}: ${last}`, {
    hint: `look into ${join(processes.directory, "logs")} (run with --keep to have it stay)`,
  });
}

function servicesFile(processes: DemoProcesses, host: DemoHost): string {
  return join(processes.hostDir(host.name), "services.json");
}

async function writeJson(path: string, content: unknown): Promise<void> {
  await writeFile(path, JSON.stringify(content, undefined, 2), { mode: 0o600 });
}
