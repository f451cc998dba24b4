import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../../test/fakes/manual-clock.ts";
import { NameCache } from "./name-cache.ts";

interface Answers {
  readonly cache: NameCache;
  readonly clock: ManualClock;
  readonly asked: string[];
  /** What the resolver says; a name without is unknown. */
  readonly names: Map<string, readonly string[]>;
}

function start(names: Record<string, readonly string[]> = {}): Answers {
  const clock = new ManualClock();
  const asked: string[] = [];
  const known = new Map(Object.entries(names));
  const resolve = async (name: string): Promise<readonly string[]> => {
    asked.push(name);
    const found = known.get(name);
    if (found === undefined) throw new Error("no such name");
    return await Promise.resolve(found);
  };
  return { cache: new NameCache("v4-first", { resolve, clock }), clock, asked, names: known };
}

const at = (address: string): object => ({ kind: "address", address });

test("a name is looked up once while it is fresh, whatever its case, and an address never", async () => {
  const { cache, asked } = start({ "a.test": ["::1", "10.0.0.1", "10.0.0.2"] });
  assert.deepEqual(await cache.lookUp("A.test"), at("10.0.0.1"));
  assert.deepEqual(await cache.lookUp("a.test"), at("10.0.0.1"));
  assert.deepEqual(await cache.lookUp("192.0.2.1"), at("192.0.2.1"));
  assert.deepEqual(asked, ["a.test"]);
});

test("those who ask at the same time wait for one lookup", async () => {
  const { cache, asked } = start({ "a.test": ["10.0.0.1"] });
  await Promise.all([cache.lookUp("a.test"), cache.lookUp("a.test")]);
  assert.equal(asked.length, 1);
});

test("a name that is no longer fresh is good for one more call, and then what it is now", async () => {
  const { cache, clock, names } = start({ "a.test": ["10.0.0.1"] });
  await cache.lookUp("a.test");
  names.set("a.test", ["10.0.0.2"]);
  clock.advance(60_001);
  assert.deepEqual(await cache.lookUp("a.test"), at("10.0.0.1"));
  await new Promise(setImmediate);
  assert.deepEqual(await cache.lookUp("a.test"), at("10.0.0.2"));
});

test("a name that is unknown is asked for again after a while, and one that gives no answer keeps its address", async () => {
  const { cache, clock, names, asked } = start();
  assert.deepEqual(await cache.lookUp("a.test"), { kind: "unknown" });
  assert.deepEqual(await cache.lookUp("a.test"), { kind: "unknown" });
  assert.equal(asked.length, 1);
  names.set("a.test", ["10.0.0.1"]);
  clock.advance(1001);
  assert.deepEqual(await cache.lookUp("a.test"), at("10.0.0.1"));
  names.delete("a.test");
  clock.advance(60_001);
  await cache.lookUp("a.test");
  await new Promise(setImmediate);
  assert.deepEqual(await cache.lookUp("a.test"), at("10.0.0.1"));
});

test("callers cannot make it hold more than so many names, nor ask for more at a time", async () => {
  const { cache, asked, names } = start();
  for (let index = 0; index < 1025; index++) {
    names.set(`n${index}.test`, ["10.0.0.1"]);
    await cache.lookUp(`n${index}.test`);
  }
  asked.length = 0;
  await cache.lookUp("n1024.test");
  assert.deepEqual(asked, []);
  await cache.lookUp("n0.test");
  assert.deepEqual(asked, ["n0.test"], "the one that was asked for longest ago had to go");
  const never = new NameCache("v4", { resolve: () => new Promise(() => {}), clock: new ManualClock() });
  for (let index = 0; index < 1024; index++) void never.lookUp(`n${index}.test`);
  assert.deepEqual(await never.lookUp("one-more.test"), { kind: "overflow" });
});
