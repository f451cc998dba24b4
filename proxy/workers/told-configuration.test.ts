import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { Rejection, ResourceUpdate } from "../ads/ads-client.ts";
import { ALL, type Interests } from "../ads/interest.ts";
import { ToldConfiguration } from "./told-configuration.ts";
import type { WorkerSlot } from "./worker-slot.ts";
import type { WorkerThread } from "./worker-thread.ts";

const type = TYPE_URL.listener;
const EVERYTHING: Interests = new Map([[type, ALL]]);

/** A thread that holds what it is told, and answers as the test says. */
class Told {
  readonly held = new Map<string, string>();
  /** How often it was told something. */
  times = 0;
  answer: (update: ResourceUpdate) => readonly Rejection[] | Promise<readonly Rejection[]> = () => [];

  async ask(_method: string, update: ResourceUpdate): Promise<readonly Rejection[]> {
    this.times++;
    const refused = await this.answer(update);
    for (const name of update.removed) this.held.delete(name);
    for (const { name, version } of update.upserts)
      if (!refused.some((rejection) => rejection.name === name)) this.held.set(name, version);
    return refused;
  }
}

interface Place {
  thread: Told | undefined;
  interests: Interests;
}

function place(interests = EVERYTHING): Place & { readonly thread: Told } {
  return { thread: new Told(), interests };
}

function told(...places: readonly Place[]): ToldConfiguration {
  return new ToldConfiguration(places as unknown as readonly WorkerSlot[]);
}

function interested(all: ToldConfiguration, slot: Place, interests: Interests): void {
  all.interested(slot as unknown as WorkerSlot, slot.thread as unknown as WorkerThread, interests);
}

function update(upserts: Readonly<Record<string, string>>, removed: readonly string[] = []): ResourceUpdate {
  const bytes = new Uint8Array();
  return {
    type,
    upserts: Object.entries(upserts).map(([name, version]) => ({ name, version, bytes })),
    removed,
  };
}

const refuses = ({ upserts }: ResourceUpdate): readonly Rejection[] =>
  upserts.map(({ name }) => ({ name, reason: "no" }));

test("what is being removed is not told to a worker that begins meanwhile", async () => {
  const [first, second] = [place(), place()];
  const all = told(first, second);
  await all.apply(update({ a: "1", b: "1" }), false);
  const { promise, resolve } = Promise.withResolvers<readonly Rejection[]>();
  first.thread.answer = () => promise;
  const removing = all.apply(update({}, ["a"]), false);
  const begins: Place = Object.assign(second, { thread: new Told(), interests: new Map() });
  interested(all, begins, EVERYTHING);
  resolve([]);
  await removing;
  assert.deepEqual([...second.thread.held], [["b", "1"]]);
});

test("what one of the others cannot take is taken back from all, and from those who begin later", async () => {
  const [first, second] = [place(), place()];
  const all = told(first, second);
  await all.apply(update({ a: "1" }), false);
  second.thread.answer = refuses;
  const refused = await all.apply(update({ a: "2", new: "2" }), false);
  assert.deepEqual(
    refused.map(({ name }) => name),
    ["a", "new"],
  );
  second.thread.answer = () => [];
  const later: Place = Object.assign(second, { thread: new Told(), interests: new Map() });
  interested(all, later, EVERYTHING);
  await all.apply(update({}), false);
  for (const { thread } of [first, second]) assert.deepEqual([...thread.held], [["a", "1"]]);
});

test("when the first ends over an update the next one's word decides", async () => {
  const [first, second] = [place(), place()];
  const all = told(first, second);
  first.thread.answer = () => Promise.reject(new Error("it has ended"));
  second.thread.answer = refuses;
  assert.deepEqual(await all.apply(update({ a: "1" }), false), [{ name: "a", reason: "no" }]);
});

test("what every worker ends over is refused, and not told to those that take their places", async () => {
  const [first, second] = [place(), place()];
  const all = told(first, second);
  for (const { thread } of [first, second]) thread.answer = () => Promise.reject(new Error("it has ended"));
  const refused = await all.apply(update({ a: "1" }), false);
  assert.match(refused[0]?.reason ?? "", /^a: every worker that was to take it ended$/);
  const later: Place = Object.assign(first, { thread: new Told(), interests: new Map() });
  interested(all, later, EVERYTHING);
  await all.apply(update({}), false);
  assert.equal(first.thread.held.size, 0);
});

test("what the first comes to want while it is asked it is told as well", async () => {
  const [first, second] = [
    place(new Map([[type, new Set(["a"])]])),
    place(new Map([[type, new Set(["b"])]])),
  ];
  const all = told(first, second);
  first.thread.answer = () => {
    first.thread.answer = () => [];
    interested(all, first, new Map([[type, new Set(["a", "b"])]]));
    return [];
  };
  await all.apply(update({ a: "1", b: "1" }), false);
  assert.deepEqual([...first.thread.held.keys()].sort(), ["a", "b"]);
});

test("a worker that has not said what it wants is told nothing: it would take that for all there is", async () => {
  const [first, starts] = [place(), place(new Map())];
  await told(first, starts).apply(update({ a: "1" }, ["b"]), false);
  assert.equal(starts.thread.times, 0);
});
