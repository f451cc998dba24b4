/**
 * What a server asks of a real Consul with 1,000 services of 10 instances, and how soon it knows of a change:
 *
 * 1. from nothing to the whole catalog;
 * 2. at rest, beside an agent of a host;
 * 3. while instances change their health, spread over all services;
 * 4. while those of one service do;
 * 5. while so many change as this Consul can take.
 */

import { setTimeout as delay } from "node:timers/promises";
import { ConsulDiscovery } from "../agent/discovery/consul/consul-discovery.ts";
import { ConsulRegistry } from "../controlplane/registry/consul/consul-registry.ts";
import { type ConsulClient, consulClient } from "../mesh/consul/consul-client.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { findTool } from "../setup/find-tool.ts";
import { type RunningConsul, startConsul } from "../setup/run-consul.ts";
import { latencies, type Result, report, rounded } from "./report.ts";

const SERVICES = 1_000;
const INSTANCES = 10;
const AT_ONCE = 32;
/** Twice as long as Consul holds a query. */
const REST_MS = 127_500;
const CHURN_MS = 20_000;
const CHANGES_PER_SECOND = 50;
/** Consul allows 200 connections of one address, and each service takes one (ADR 3). */
const LIMITS = "limits { http_max_conns_per_client = 4096 }";
const SEAMS = { clock: systemClock, random: Math.random, logger: silentLogger };

const binary = findTool("consul");
if (binary === undefined) throw new Error("there is no consul: make tools fetches it");
await using consul = await startConsul(binary, undefined, undefined, LIMITS);
await fill(consul);
await report("consul", await measure(consul));

async function measure(consul: RunningConsul): Promise<readonly Result[]> {
  const stop = new AbortController();
  using server = counting(consul.address);
  using host = counting(consul.address);
  const registry = new ConsulRegistry({ ...SEAMS, client: server });
  const discovery = new ConsulDiscovery({ ...SEAMS, client: host, address: undefined });
  const seen = new Map<string, (at: number) => void>();
  const begun = performance.now();
  const synced = Promise.withResolvers<number>();
  const reading = (async () => {
    for await (const event of registry.watch(stop.signal)) {
      if (event.kind === "synced") synced.resolve(performance.now() - begun);
      else
        for (const { id, healthy } of event.instances)
          seen.get(`${id} ${healthy ? "passing" : "critical"}`)?.(performance.now());
    }
  })();
  const looking = (async () => {
    for await (const _ of discovery.watch(stop.signal));
  })();
  const whole: readonly Result[] = [
    figure("the whole catalog is known after", rounded((await synced.promise) / 1000), "s"),
    figure("the whole catalog is known after", server.count(), "requests"),
  ];
  await delay(3_000);
  const rest = await perMinute([server, host], () => delay(REST_MS));
  const spread = await churn(consul, server, seen, (index) => index % SERVICES);
  const hot = await churn(consul, server, seen, () => 0);
  const [storm = 0] = await perMinute([server], () => changeAll(consul));
  stop.abort();
  await Promise.all([reading, looking]);
  const what = `${SERVICES} services × ${INSTANCES}`;
  return [
    ...whole,
    figure("at rest, the server", rest[0] ?? 0, "requests per minute"),
    figure("at rest, the agent of a host", rest[1] ?? 0, "requests per minute"),
    figure(`${CHANGES_PER_SECOND} changes a second of all services`, spread.requests, "requests per minute"),
    ...latencies(`${what}, such a change is known after`, spread.tookMs),
    figure(`${CHANGES_PER_SECOND} changes a second of one service`, hot.requests, "requests per minute"),
    // Half a thousand a second, and what is left of the burst.
    { ...figure("all change as fast as they can", storm, "requests per minute"), target: 36_000 },
  ].map((one) => ({ ...one, name: one.name.startsWith(what) ? one.name : `${what}: ${one.name}` }));
}

interface Counting extends ConsulClient {
  count(): number;
}

function counting(address: string): Counting {
  const client = consulClient({ address });
  let count = 0;
  return {
    address,
    get: (request, signal) => {
      count += 1;
      return client.get(request, signal);
    },
    count: () => count,
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

async function perMinute(
  clients: readonly Counting[],
  work: () => Promise<unknown>,
): Promise<readonly number[]> {
  const before = clients.map((client) => client.count());
  const begun = performance.now();
  await work();
  const minutes = (performance.now() - begun) / 60_000;
  return clients.map((client, index) => Math.round((client.count() - (before[index] ?? 0)) / minutes));
}

async function churn(
  consul: RunningConsul,
  server: Counting,
  seen: Map<string, (at: number) => void>,
  serviceOf: (index: number) => number,
): Promise<{ readonly requests: number; readonly tookMs: readonly number[] }> {
  const tookMs: number[] = [];
  const status = new Map<string, "passing" | "critical">();
  const [requests = 0] = await perMinute([server], async () => {
    const end = performance.now() + CHURN_MS;
    for (let index = 0; performance.now() < end; index++) {
      const [service, instance] = [serviceOf(index), Math.floor(index / SERVICES) % INSTANCES];
      const id = instanceId(service, instance);
      const next = status.get(id) === "critical" ? "passing" : "critical";
      status.set(id, next);
      const begun = performance.now();
      seen.set(`dc1/${nodeOf(instance)}/${id} ${next}`, (at) => tookMs.push(at - begun));
      await put(consul, service, instance, next);
      await delay(Math.max(0, 1000 / CHANGES_PER_SECOND - (performance.now() - begun)));
      if (index > 0 && index % 50 === 0) seen.clear();
    }
    await delay(1_000);
  });
  seen.clear();
  for (const [id, now] of status) {
    const [, service, instance] = id.split("-").map(Number);
    if (now === "critical") await put(consul, service ?? 0, instance ?? 0, "passing");
  }
  return { requests, tookMs };
}

async function fill(consul: RunningConsul): Promise<void> {
  await putAll(consul, Array.from({ length: SERVICES * INSTANCES }, (_, index) => index).values(), "passing");
}

/** Each change is of another service than the one before. */
async function changeAll(consul: RunningConsul): Promise<void> {
  const end = performance.now() + CHURN_MS;
  const soFar = function* (): Generator<number> {
    for (let index = 0; performance.now() < end && index < SERVICES * INSTANCES; index++)
      yield (index % SERVICES) * INSTANCES + Math.floor(index / SERVICES);
  };
  await putAll(consul, soFar(), "critical");
}

async function putAll(
  consul: RunningConsul,
  indexes: Iterable<number>,
  status: "passing" | "critical",
): Promise<void> {
  const work = async (): Promise<void> => {
    // One iterator: each takes the next.
    for (const index of indexes) await put(consul, Math.floor(index / INSTANCES), index % INSTANCES, status);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** On nodes that no agent has, so that anti-entropy does not undo it. */
async function put(
  consul: RunningConsul,
  service: number,
  instance: number,
  Status: "passing" | "critical",
): Promise<void> {
  const ID = instanceId(service, instance);
  const Address = `10.${Math.floor(service / 250)}.${service % 250}.${instance + 1}`;
  await consul.put("/catalog/register", {
    Node: nodeOf(instance),
    Address: `10.9.9.${instance + 1}`,
    Service: { ID, Service: `service-${service}`, Address, Port: 8080 },
    Check: { CheckID: `service:${ID}`, Name: "health", ServiceID: ID, Status },
  });
}

function instanceId(service: number, instance: number): string {
  return `service-${service}-${instance}`;
}

function nodeOf(instance: number): string {
  return `node-${instance}`;
}

function figure(name: string, value: number, unit: string): Result {
  return { name, value, unit, target: null, better: "lower" };
}
