import assert from "node:assert/strict";
import { test } from "node:test";
import { VipAllocator } from "./vip-allocator.ts";

const NAMES = Array.from({ length: 5_000 }, (_, index) => `service-${index}.shop.svc.cluster.local`);

/** Numbers from 0 to below `most` that look random, and are the same each time. */
function numbers(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % most;
  };
}

function shuffled(names: readonly string[], seed: number): readonly string[] {
  const below = numbers(seed);
  const mixed = [...names];
  for (let index = mixed.length - 1; index > 0; index -= 1) {
    const other = below(index + 1);
    [mixed[index], mixed[other]] = [mixed[other] ?? "", mixed[index] ?? ""];
  }
  return mixed;
}

/** After all have come: a later one may move an earlier one. */
function addresses(vips: VipAllocator, names: readonly string[]): readonly string[] {
  return names.map((name) => vips.addressOf(name));
}

test("names have the same addresses, each its own, in whatever order they come and whoever was there between", () => {
  const plain = new VipAllocator();
  addresses(plain, NAMES);
  const want = addresses(plain, NAMES);
  assert.equal(new Set(want).size, NAMES.length);
  for (const seed of [1, 2, 3]) {
    const other = new VipAllocator();
    const guests = Array.from({ length: 2_000 }, (_, index) => `guest-${seed}-${index}.example`);
    addresses(other, shuffled([...NAMES, ...guests], seed));
    for (const guest of shuffled(guests, seed + 1)) other.release(guest);
    assert.deepEqual(addresses(other, NAMES), want);
  }
});

test("whoever's address is another because of a name that came or went is told, and nobody else", () => {
  const told = new Set<string>();
  const vips = new VipAllocator((name) => told.add(name));
  let known = new Map<string, string>();
  let moves = 0;
  const guests = Array.from({ length: 500 }, (_, index) => `a-guest-${index}.example`);
  const steps = [
    ...guests.map((guest) => () => vips.addressOf(guest)),
    ...guests.map((guest) => () => vips.release(guest)),
  ];
  addresses(vips, NAMES);
  for (const step of steps) {
    known = new Map(NAMES.map((name) => [name, vips.addressOf(name)]));
    told.clear();
    step();
    const moved = NAMES.filter((name) => vips.addressOf(name) !== known.get(name));
    assert.deepEqual(
      [...told].filter((name) => known.has(name)).toSorted((a, b) => (a < b ? -1 : 1)),
      moved.toSorted((a, b) => (a < b ? -1 : 1)),
    );
    moves += moved.length;
  }
  assert.ok(moves > 0);
});

test("when all places are taken the next name shares one, and what is given back is had again", () => {
  const vips = new VipAllocator();
  const many = Array.from({ length: 256 * 254 }, (_, index) => `n${index}.example`);
  addresses(vips, many);
  assert.equal(new Set(addresses(vips, many)).size, many.length);
  const shared = vips.addressOf("one.more.example");
  assert.equal(vips.addressOf("one.more.example"), shared);
  vips.release("one.more.example");
  for (const name of many) vips.release(name);
  const fresh = new VipAllocator();
  assert.equal(vips.addressOf("n7.example"), fresh.addressOf("n7.example"));
});
