import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint } from "../model/cluster.ts";
import { compileBalancer, type Host, hostKey } from "./balancer.ts";
import { eject, mayEject, newStanding, noteOutcome, outcomeOf } from "./outlier.ts";

function host(port: number, fields: Partial<Endpoint> = {}): Host {
  const endpoint = {
    address: "10.0.0.1",
    port,
    weight: 1,
    healthy: true,
    priority: 0,
    transportMatch: new Map<string, string>(),
    workload: "",
    ...fields,
  };
  return { key: hostKey(endpoint), endpoint, active: 0 };
}

/** A repeatable source of numbers: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shares(
  policy: Parameters<typeof compileBalancer>[0],
  hosts: readonly Host[],
  rounds = 6000,
): number[] {
  const pick = compileBalancer(policy, hosts);
  const random = seeded(7);
  const counts = new Map<Host, number>();
  for (let round = 0; round < rounds; round++) {
    const chosen = pick(random);
    if (chosen) counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  return hosts.map((one) => Math.round(((counts.get(one) ?? 0) / rounds) * 100));
}

test("round robin follows the weights, evenly spread", () => {
  const hosts = [host(1, { weight: 3 }), host(2)];
  assert.deepEqual(shares("ROUND_ROBIN", hosts), [75, 25]);
  const pick = compileBalancer("ROUND_ROBIN", hosts);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => pick(() => 0)?.endpoint.port),
    [1, 1, 2, 1],
  );
});

test("random follows the weights", () => {
  const [first = 0] = shares("RANDOM", [host(1, { weight: 4 }), host(2)]);
  assert.ok(Math.abs(first - 80) <= 3, `${first} %`);
});

test("least request takes the less loaded of two, for its weight", () => {
  const [busy, idle] = [host(1), host(2)];
  busy.active = 5;
  const [toBusy = 0] = shares("LEAST_REQUEST", [busy, idle]);
  assert.ok(Math.abs(toBusy - 25) <= 3, `${toBusy} % went to the busy one: only when it was drawn twice`);
  const [large, small] = [host(3, { weight: 10 }), host(4)];
  large.active = 4;
  small.active = 1;
  const pick = compileBalancer("LEAST_REQUEST", [large, small]);
  const draws = [0.95, 0.1];
  assert.equal(
    pick(() => draws.shift() ?? 0),
    large,
  );
});

test("unhealthy hosts are left out, and a lower priority waits until there is nobody better", () => {
  const hosts = [host(1, { healthy: false }), host(2), host(3, { priority: 1 })];
  assert.deepEqual(shares("RANDOM", hosts), [0, 100, 0]);
  assert.deepEqual(shares("RANDOM", [host(1, { healthy: false }), host(3, { priority: 1 })]), [0, 100]);
  assert.equal(compileBalancer("LEAST_REQUEST", [host(1, { healthy: false })])(Math.random), undefined);
  assert.equal(compileBalancer("ROUND_ROBIN", [])(Math.random), undefined);
});

test("a retry goes elsewhere where there is an elsewhere", () => {
  const [a, b] = [host(1), host(2)];
  const pick = compileBalancer("RANDOM", [a, b]);
  for (const random of [0, 0.3, 0.9])
    assert.equal(
      pick(() => random, new Set([a])),
      b,
    );
  assert.equal(
    pick(() => 0, new Set([a, b])),
    a,
  );
});

const rules = {
  consecutive5xx: { count: 3, enforcing: 1 },
  consecutiveGateway: { count: 2, enforcing: 1 },
  baseEjectionMs: 100,
  maxEjectionPercent: 50,
};

test("failures in a row eject a host, a success begins anew", () => {
  const standing = newStanding();
  const note = (...statuses: (number | undefined)[]): boolean[] =>
    statuses.map((status) => noteOutcome(standing, outcomeOf(status), rules, () => 0));
  assert.deepEqual(note(500, 500, 200, 500, 500, 500), [false, false, false, false, false, true]);
  assert.deepEqual(note(200, 503, undefined), [false, false, true]);
});

test("each ejection is longer than the last, and only part of the hosts may be out", () => {
  const standing = newStanding();
  eject(standing, rules, 1000);
  assert.equal(standing.ejectedUntilMs, 1100);
  eject(standing, rules, 2000);
  assert.equal(standing.ejectedUntilMs, 2200);
  assert.deepEqual(
    [mayEject(0, 2, rules), mayEject(1, 2, rules), mayEject(1, 3, rules), mayEject(0, 0, rules)],
    [true, false, true, false],
  );
});
