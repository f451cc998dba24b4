import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../test/harness/eventually.ts";
import { type DataPlaneKind, type Mesh, startMesh } from "../test/harness/mesh.ts";
import type { PlacedHost } from "../test/harness/mesh-topology.ts";
import { pauseBetweenChanges } from "./pause.ts";
import { latencies, type Result } from "./report.ts";

export type CatalogName = "embedded" | "consul";

const CALLER = "caller-1";
/**
 * Services whose endpoints change, in turn: each is at rest for more than a second between its changes, as we ask
 * Consul about one service at most every half second under churn.
 */
const SERVICES = 24;
/** In each, an endpoint of every service comes, or goes again: an even number leaves things as they were. */
const ROUNDS = 12;
const WARM_UP_ROUNDS = 2;
const POLL_MS = 2;
const TARGETS = { p50: 50, p99: 150 } as const;

/** One workload that calls the changing services, its agent a process, its data plane another. */
export async function measureDataPlane(
  catalog: CatalogName,
  dataPlane: DataPlaneKind,
): Promise<readonly Result[]> {
  const names = Array.from({ length: SERVICES }, (_, index) => `target-${index}`);
  await using mesh = await startMesh({
    dataPlane,
    catalog,
    hosts: [{ name: CALLER, service: "caller", upstreams: names }],
    agentProcesses: [CALLER],
  });
  const stays = names.map((name, index) => instanceOf(name, `127.0.3.${index + 1}`));
  const changing = names.map((name, index) => instanceOf(name, `127.0.4.${index + 1}`));
  for (const instance of stays) {
    await mesh.catalog.register(instance);
    await untilUsed(mesh, instance.address, true);
  }
  const acked = await repeat(mesh, changing, async (_, changedAt) => await acknowledged(mesh, changedAt));
  const used = await repeat(mesh, changing, async (change) => {
    return await untilUsed(mesh, change.instance.address, change.present);
  });
  const name = `${catalog} → ${dataPlane}`;
  return [
    ...latencies(`${name}, endpoint comes: acknowledged`, acked.comes, TARGETS),
    ...latencies(`${name}, endpoint goes: acknowledged`, acked.goes, TARGETS),
    ...latencies(`${name}, endpoint comes: in use`, used.comes),
    ...latencies(`${name}, endpoint goes: out of use`, used.goes),
  ];
}

/** An instance that no workload stands for. */
function instanceOf(service: string, address: string): PlacedHost {
  return { name: `${service}-${address.replaceAll(".", "-")}`, service, address, loopback: address };
}

/** Of Consul, what goes is believed only after a moment: too much at once would be an outage, no removal. */
interface Samples {
  readonly comes: readonly number[];
  readonly goes: readonly number[];
}

interface Change {
  readonly instance: PlacedHost;
  readonly present: boolean;
}

/** Milliseconds from before the call to the catalog to the moment that `wait` tells (epoch), for each change. */
async function repeat(
  mesh: Mesh,
  changing: readonly PlacedHost[],
  wait: (change: Change, changedAt: number) => Promise<number>,
): Promise<Samples> {
  const samples = { comes: [] as number[], goes: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    const present = round % 2 === 0;
    for (const instance of changing) {
      await pauseBetweenChanges();
      const changedAt = Date.now();
      await (present ? mesh.catalog.register(instance) : mesh.catalog.deregister(instance));
      const reachedAt = await wait({ instance, present }, changedAt);
      if (round >= WARM_UP_ROUNDS) samples[present ? "comes" : "goes"].push(reachedAt - changedAt);
    }
  }
  return samples;
}

/** When the server had the data plane's ACK of an endpoint response that it sent after the change. */
async function acknowledged(mesh: Mesh, changedAt: number): Promise<number> {
  return await eventually("the change is acknowledged", async () => {
    const endpoint = (await mesh.proxy(CALLER))?.types.endpoint;
    if (endpoint?.rejection) throw new Error(`refused: ${endpoint.rejection}`);
    const sentAt = Date.parse(endpoint?.sentAt ?? "");
    const ackedAt = Date.parse(endpoint?.ackedAt ?? "");
    return sentAt >= changedAt && ackedAt >= sentAt ? ackedAt : undefined;
  });
}

/** When the data plane's own `/clusters` showed it: late by up to one poll. */
async function untilUsed(mesh: Mesh, address: string, present: boolean): Promise<number> {
  const end = performance.now() + 5_000;
  for (;;) {
    const clusters = await mesh.host(CALLER).askProxy("/clusters");
    if (clusters.includes(`::${address}:`) === present) return Date.now();
    if (performance.now() > end) throw new Error(`${address} is ${present ? "not " : ""}there after 5 s`);
    await delay(POLL_MS);
  }
}
