/** A process of the benchmark: the server, from its agents' port to its translation. */
import { generateKeyPairSync } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createServerMetrics } from "../controlplane/admin/metrics.ts";
import { agentFacingServices } from "../controlplane/agent-services.ts";
import { AgentStreams } from "../controlplane/agents/agent-streams.ts";
import { serveAgents } from "../controlplane/agents/server.ts";
import { agentServerCredentials } from "../controlplane/agents/server-credentials.ts";
import { UNBOUND } from "../controlplane/attest/agent-binding.ts";
import { ServerIdentity } from "../controlplane/ca/server-identity.ts";
import { countBuffersWithHeap } from "../controlplane/collector.ts";
import { loadServerConfig } from "../controlplane/config.ts";
import { CallHistory } from "../controlplane/observed/call-history.ts";
import { openServerState, type ServerState } from "../controlplane/server-state.ts";
import { joinPemChain } from "../mesh/identity/pem.ts";
import { agentSpiffeId } from "../mesh/identity/spiffe-id.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { nodeId } from "../mesh/xds/names.ts";
import { liveBytes } from "./xds-memory.ts";
import { BenchMesh, workloadsOf } from "./xds-mesh.ts";
import {
  type ClientTls,
  type MeshLayout,
  nowUs,
  type ServerAnswers,
  type ServerRequests,
  type Usage,
} from "./xds-messages.ts";
import { answerParent } from "./xds-processes.ts";

const AGENT = "bench";

countBuffersWithHeap();

answerParent<ServerRequests, ServerAnswers>({
  start,
  show: ({ kind, service }) => running().show(kind, service),
  change({ kind, service }) {
    const at = nowUs();
    running().change(kind, service);
    return { at };
  },
  usage: ({ collect }) => usage(collect),
});

let mesh: BenchMesh | undefined;

function running(): BenchMesh {
  if (mesh === undefined) throw new Error("the server has not been started");
  return mesh;
}

async function start(layout: MeshLayout): Promise<ServerAnswers["start"]> {
  const directory = await mkdtemp(join(tmpdir(), "lateen-bench-xds-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const config = loadServerConfig({
    environment: {},
    flags: { stateDir: directory, agents: { address: "127.0.0.1", port: 0 } },
  });
  const { signal } = new AbortController();
  const clock = systemClock;
  const logger = silentLogger;
  const state = await openServerState(config, { clock, logger, signal });
  const { ca, placements } = state;
  const bench = new BenchMesh(layout, config.debounce.quietMs);
  mesh = bench;
  placements.replace(AGENT, workloadsOf(layout));
  const { translator, publisher } = bench;
  const metrics = createServerMetrics(
    {
      version: "bench",
      connections: () => 0,
      services: () => 0,
      workloads: () => 0,
      objects: () => ({}),
      registries: () => [],
      rootExpiry: () => 0,
      auditLost: () => 0,
    },
    { istioAliases: true, processMetrics: false },
  );
  const identity = await ServerIdentity.open({
    ca,
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
    clock,
    random: Math.random,
    log: logger,
  });
  const { ads, list } = agentFacingServices({
    ...state,
    attestors: [],
    streams: new AgentStreams(),
    translator,
    history: new CallHistory(clock),
    rootNamespace: "istio-system",
    metrics,
    clock,
    logger,
    signal,
    serverName: "bench",
  });
  void ads.run(signal);
  const { port } = await serveAgents({
    ...config.agents,
    credentials: agentServerCredentials(identity, ca, signal),
    services: list,
    signal,
    drainMs: 0,
  });
  const nodes = placements.list().map(({ name }) => nodeId("10.0.0.1", name, "default", config.domainSuffix));
  const before = performance.now();
  bench.fill(placements);
  void publisher.run(signal);
  while (publisher.current.version === 0) await nextTurn();
  translator.resourcesFor({ id: nodes[0] ?? "", workload: "default/proxy-0" });
  const snapshotMs = performance.now() - before;
  return { port, tls: await agentTls(state), nodes, snapshotMs };
}

/** All proxies are on the hosts of one agent; their connections are their own. */
async function agentTls({ ca, agents }: ServerState): Promise<ClientTls> {
  const attested = { method: "join-token", subject: "bench", keyHash: "", ttlMs: undefined } as const;
  agents.put({ id: AGENT, nodeName: AGENT, version: "bench", binding: UNBOUND, attested });
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const { chain } = await ca.issue({
    spiffeId: agentSpiffeId(ca.bundle.trustDomain, AGENT),
    publicKeyDer: publicKey.export({ type: "spki", format: "der" }),
  });
  return {
    roots: ca.bundle.roots,
    chainPem: joinPemChain(chain),
    keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function usage(collect: boolean): Usage {
  if (collect) globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const heapBytes = heapUsed + external;
  return { cpuMs: (user + system) / 1000, rssBytes: rss, liveBytes: liveBytes(), heapBytes };
}
