import assert from "node:assert/strict";
import { test } from "node:test";
import type { BalancingPolicy } from "../model/cluster.ts";
import { type HashTable, lazyHashTable } from "./hash-table.ts";
import { xxHash64 } from "./xx-hash.ts";

// Vectors of the xxHash specification's own tests, and of a longer text than one stripe.
for (const { text, seed, want } of [
  { text: "", seed: 0n, want: 0xef46db3751d8e999n },
  { text: "a", seed: 0n, want: 0xd24ec4f1a98c6e5bn },
  { text: "abc", seed: 0n, want: 0x44bc2cf5ad770999n },
  { text: "Nobody inspects the spammish repetition", seed: 0n, want: 0xfbcea83c8a378bf1n },
  { text: "", seed: 2_654_435_761n, want: 0xac75fda2929b17efn },
]) {
  test(`XXH64 of "${text}" with seed ${seed}`, () => {
    assert.equal(xxHash64(text, seed), want);
  });
}

type Policy = Extract<BalancingPolicy, { kind: "RING_HASH" | "MAGLEV" }>;

const POLICIES: readonly Policy[] = [
  { kind: "RING_HASH", minimumSize: 1024, maximumSize: 8_388_608 },
  { kind: "MAGLEV", tableSize: 65_537 },
];
const requests = Array.from({ length: 5000 }, (_, index) => xxHash64(`request ${index}`));
const any = (): boolean => true;

function tableOf(policy: Policy, weights: Readonly<Record<string, number>>): HashTable<string> {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  return lazyHashTable(
    policy,
    Object.entries(weights).map(([host, weight]) => ({ host, key: host, part: weight / total })),
  );
}

function tally(table: HashTable<string>): Readonly<Record<string, number>> {
  const counts = Object.groupBy(requests, (hash) => table(hash, any));
  return Object.fromEntries(Object.entries(counts).map(([host, hashes]) => [host, hashes?.length ?? 0]));
}

const hosts = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`10.0.0.${index + 1}:80`, 1]));

for (const policy of POLICIES) {
  test(`${policy.kind}: one host more or less moves little beside what it has itself`, () => {
    const table = tableOf(policy, hosts(10));
    const { "10.0.0.10:80": _, ...nine } = hosts(10);
    const fewer = tableOf(policy, nine);
    const moved = requests.filter((hash) => {
      const host = table(hash, any);
      return host !== "10.0.0.10:80" && host !== fewer(hash, any);
    });
    // Fewer hosts have more points each, and Maglev trades a little of it for balance. Without a table it were 90 %.
    const most = requests.length * 0.08;
    assert.ok(moved.length <= most, `${moved.length} of ${requests.length} moved`);
  });

  test(`${policy.kind}: hosts get their parts`, () => {
    const counts = tally(tableOf(policy, { "10.0.0.1:80": 3, "10.0.0.2:80": 1 }));
    const part = (counts["10.0.0.1:80"] ?? 0) / requests.length;
    assert.ok(Math.abs(part - 0.75) < 0.06, `${part}`);
  });

  test(`${policy.kind}: a host that is not wanted hands over to another, always the same`, () => {
    const table = tableOf(policy, hosts(3));
    const hash = requests[0] ?? 0n;
    const first = table(hash, any);
    const second = table(hash, (host) => host !== first);
    assert.notEqual(second, first);
    assert.equal(
      table(hash, (host) => host !== first),
      second,
    );
    assert.equal(
      table(hash, () => false),
      first,
    );
  });
}

test("a ring has at least as many points as it must, and the lightest host a whole one", () => {
  // 1 : 999 on a ring of at least 100: the light one must still be found.
  const counts = tally(
    tableOf({ kind: "RING_HASH", minimumSize: 100, maximumSize: 100_000 }, { a: 1, b: 999 }),
  );
  assert.ok((counts["a"] ?? 0) < 50 && (counts["b"] ?? 0) > 4900, JSON.stringify(counts));
});
