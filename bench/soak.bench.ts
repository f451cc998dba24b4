/**
 * Traffic of all kinds through two built-in proxies while all that can change does: certificates, routes, endpoints,
 * policies, workers that are killed, processes that hand over. Nothing may be lost but what a killed worker had under way,
 * and from the first sixth on memory and descriptors may not grow. `minutes=30`.
 */

import { setTimeout as delay } from "node:timers/promises";
import { type Result, report, rounded } from "./report.ts";
import { CHANGES, type Change, HAND_OVERS } from "./soak/changes.ts";
import { type Footprint, footprintOf } from "./soak/footprint.ts";
import { startSoakGround } from "./soak/ground.ts";
import { MixedTraffic, type Protocol } from "./soak/mixed-traffic.ts";

const MINUTES = Number(/^minutes=(\d+(?:\.\d+)?)$/.exec(process.argv[2] ?? "minutes=30")?.[1]);
if (!(MINUTES > 0)) throw new Error(`"${process.argv[2]}" is not understood: say minutes=30`);
const CHANGE_EVERY_MS = 4000;
/** A request goes out on a connection whose end is on its way. */
const AFTER_KILL_MS = 1000;
/** V8 takes more while garbage is little; what leaks grows beyond this in half an hour. */
const MOST_GROWTH_MIB = 24;
const MOST_GROWTH_SHARE = 1.25;
/** Connections come and go, and those of a former listener drain; one left by each change would be hundreds. */
const MOST_MORE_DESCRIPTORS = 32;

await using ground = await startSoakGround();
const traffic = new MixedTraffic(ground);
const kills: { readonly from: number; readonly to: number }[] = [];
const counts = new Map<string, number>();
const footprints: Record<"client" | "server", Footprint>[] = [];
const began = performance.now();
const total = MINUTES * 60_000;

await traffic.start();
for (const handOver of HAND_OVERS) await happen(handOver, 0);
await changesUntil(began + total / 6);
footprints.push(await footprint());
await changesUntil(began + (total * 7) / 12);
footprints.push(await footprint());
await changesUntil(began + total);
footprints.push(await footprint());
for (const handOver of HAND_OVERS) await happen(handOver, 1);
await delay(AFTER_KILL_MS);
await traffic.stop();

const byKill = traffic.failures.filter(({ begun, ended }) =>
  kills.some(({ from, to }) => begun <= to && ended >= from),
);
const lost = traffic.failures.filter((failure) => !byKill.includes(failure));
const results = [...trafficResults(), ...footprintResults("client"), ...footprintResults("server")];
console.log([...counts].map(([name, count]) => `${count} × ${name}`).join("\n"));
await report("soak", results);
for (const { protocol, told, begun } of lost.slice(0, 20))
  console.error(`${Math.round(begun - began)} ms, ${protocol}: ${told}`);
process.exitCode = results.every(isMet) ? 0 : 1;

/** One change after the other, each of them again and again. */
async function changesUntil(end: number): Promise<void> {
  while (performance.now() < end) {
    const turn = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const next = CHANGES[turn % CHANGES.length];
    if (next !== undefined) await happen(next, turn);
    await delay(CHANGE_EVERY_MS);
  }
}

async function happen(change: Change, turn: number): Promise<void> {
  const from = performance.now();
  await change.apply(ground, turn);
  if (change.kills) kills.push({ from, to: from + AFTER_KILL_MS });
  counts.set(change.name, (counts.get(change.name) ?? 0) + 1);
}

async function footprint(): Promise<Record<"client" | "server", Footprint>> {
  const [client, server] = await Promise.all([
    footprintOf(ground.pair.client),
    footprintOf(ground.pair.server),
  ]);
  return { client, server };
}

function trafficResults(): readonly Result[] {
  const again = told("HTTP/2 asked again after a goodbye", traffic.askedAgain, "", null);
  const all = (Object.entries(traffic.done) as [Protocol, number][]).flatMap(([protocol, done]) => {
    const of = (failures: typeof lost): number => failures.filter((one) => one.protocol === protocol).length;
    return [
      told(`${protocol} exchanges`, done, "", null),
      told(`${protocol} lost with a killed worker`, of(byKill), "", null),
      told(`${protocol} lost`, of(lost), "", 0),
    ];
  });
  return [...all, again];
}

function footprintResults(which: "client" | "server"): readonly Result[] {
  const [start, middle, end] = footprints.map((both) => both[which]);
  if (start === undefined || middle === undefined || end === undefined) return [];
  const name = (what: string, when: string): string => `${which}'s proxy, ${what} at the ${when}`;
  const mostMib = Math.max(start.memoryMib + MOST_GROWTH_MIB, start.memoryMib * MOST_GROWTH_SHARE);
  return [
    told(name("memory", "start"), start.memoryMib, "MiB", null),
    told(name("memory", "middle"), middle.memoryMib, "MiB", null),
    told(name("memory", "end"), end.memoryMib, "MiB", rounded(mostMib)),
    told(name("descriptors", "start"), start.descriptors, "", null),
    told(name("descriptors", "middle"), middle.descriptors, "", null),
    told(name("descriptors", "end"), end.descriptors, "", start.descriptors + MOST_MORE_DESCRIPTORS),
  ];
}

function told(name: string, value: number, unit: string, target: number | null): Result {
  return { name: `soak: ${name}`, value: rounded(value), unit, target, better: "lower" };
}

function isMet({ value, target }: Result): boolean {
  return target === null || value <= target;
}
