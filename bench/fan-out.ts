import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { AgentState } from "../agent/identity/agent-state.ts";
import { ServerChannel } from "../agent/identity/channel.ts";
import { invitationOf } from "../agent/identity/invitation.ts";
import { joinMesh } from "../agent/identity/join.ts";
import { readTrustBundle } from "../agent/identity/trust-bundle.ts";
import { Registration } from "../agent/registration/registration.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import type { Workload } from "../mesh/model/workload.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { nodeId } from "../mesh/xds/names.ts";
import { eventually } from "../test/harness/eventually.ts";
import { type Mesh, startMesh } from "../test/harness/mesh.ts";
import type { PlacedHost } from "../test/harness/mesh-topology.ts";
import { pauseBetweenChanges } from "./pause.ts";
import { latencies, type Result } from "./report.ts";
import type { SubscriberTask } from "./subscribers.ts";

const WARM_UP = 10;
const CHANGES = 100;

const TARGET: PlacedHost = {
  name: "target-1",
  service: "target",
  address: "127.0.3.1",
  loopback: "127.0.3.1",
};
const CHANGING: PlacedHost = { ...TARGET, name: "target-2", address: "127.0.3.2", loopback: "127.0.3.2" };

/**
 * From an endpoint's change to the server having the last ACK, when every one of `count` subscribers wants it. All
 * of them are in one thread of this process, each with a TLS connection and an ADS stream of its own.
 */
export async function measureFanOut(count: number): Promise<readonly Result[]> {
  await using mesh = await startMesh({ dataPlane: "builtin", hosts: [] });
  await mesh.catalog.register(TARGET);
  const agent = await joined(mesh);
  const stop = new AbortController();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => stop.abort());
  await register(agent, workloads(count), stop.signal);
  const subscribers = stack.adopt(startSubscribers(agent, count), async (worker) => {
    await worker.terminate();
  });
  await nextRound(subscribers);
  const samples: number[] = [];
  for (let index = 0; index < WARM_UP + CHANGES; index++) {
    await pauseBetweenChanges();
    const received = nextRound(subscribers);
    const changedAt = Date.now();
    await (index % 2 === 0 ? mesh.catalog.register(CHANGING) : mesh.catalog.deregister(CHANGING));
    await received;
    const ackedAt = await lastAck(mesh, count, changedAt);
    if (index >= WARM_UP) samples.push(ackedAt - changedAt);
  }
  return latencies(`${count} subscribers: last acknowledgement`, samples, { p50: 50, p99: 150 });
}

interface BenchAgent {
  readonly state: AgentState;
  readonly roots: readonly string[];
}

async function joined(mesh: Mesh): Promise<BenchAgent> {
  const stateDir = join(mesh.directory, "agent");
  const state = await joinMesh(invitationOf(await mesh.token()), {
    stateDir,
    agentVersion: "bench",
    clock: systemClock,
    logger: silentLogger,
    signal: AbortSignal.timeout(10_000),
  });
  return { state, roots: (await readTrustBundle(stateDir, state.trustDomain, systemClock.now())).roots };
}

async function register(
  agent: BenchAgent,
  workloads: readonly Workload[],
  signal: AbortSignal,
): Promise<void> {
  const { state, roots } = agent;
  const seams = { clock: systemClock, logger: silentLogger, random: Math.random };
  const channel = new ServerChannel({
    ...seams,
    addresses: state.servers,
    trustDomain: state.trustDomain,
    identity: () => ({ roots, certificate: state.svid }),
  });
  const registration = new Registration({
    groups: { take: () => {} },
    concurrency: { take: () => {} },
    ...seams,
    channel,
  });
  registration.set(workloads);
  void registration.run(signal).finally(() => channel.close());
  await registration.acknowledged(signal);
}

function workloads(count: number): readonly Workload[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `caller-${index}`,
    namespace: "default",
    service: "caller",
    serviceAccount: "caller",
    labels: { app: "caller" },
    ports: [],
    upstreams: [{ host: "target", port: 9080, bind: { address: "127.0.0.1", port: 9101 } }],
    healthy: true,
    weight: 1,
    locality: "",
    network: "",
    role: "sidecar",
    interception: "none",
    capturedAt: undefined,
    discovery: "upstreams",
    httpProxy: undefined,
    vips: "none",
    reportsCalls: false,
    mtls: undefined,
    dataPlane: "builtin",
    catalog: undefined,
    group: undefined,
  }));
}

function startSubscribers({ state, roots }: BenchAgent, count: number): Worker {
  const { servers, trustDomain, svid } = state;
  const task: SubscriberTask = {
    addresses: servers,
    trustDomain,
    roots,
    keyPem: svid.keyPem,
    chainPem: svid.chainPem,
    nodes: workloads(count).map(({ name }) => nodeId("127.0.0.1", name, "default", "cluster.local")),
  };
  return new Worker(new URL("subscribers.ts", import.meta.url), { workerData: task });
}

/** Every subscriber has received the endpoints once more since the last round. */
function nextRound(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("not every subscriber has received the change")), 30_000);
    worker.once("error", reject);
    worker.once("message", () => {
      clearTimeout(timer);
      worker.off("error", reject);
      resolve();
    });
  });
}

async function lastAck(mesh: Mesh, count: number, changedAt: number): Promise<number> {
  return await eventually("every subscriber's acknowledgement", async () => {
    const acks = (await mesh.proxies())
      .map(({ types }) => types.endpoint)
      .filter(({ state }) => state === "SYNCED")
      .map(({ ackedAt }) => Date.parse(ackedAt ?? ""));
    return acks.length === count && acks.every((at) => at >= changedAt) ? Math.max(...acks) : undefined;
  });
}
