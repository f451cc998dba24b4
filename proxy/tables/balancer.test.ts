import assert from "node:assert/strict";
import { test } from "node:test";
import type { Balancing, Endpoint } from "../model/cluster.ts";
import { type Balancer, compileBalancer, type Host, hostKey, type Member } from "./balancer.ts";
import { eject, mayEject, newStanding, noteOutcome, outcomeOf } from "./outlier.ts";

function host(port: number, fields: Partial<Endpoint> = {}): Host {
  const endpoint = {
    address: "10.0.0.1",
    port,
    weight: 1,
    healthy: true,
    priority: 0,
    locality: { name: "", weight: 0 },
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

type Plain = "LEAST_REQUEST" | "ROUND_ROBIN" | "RANDOM";

/** Of hosts as they are, none of them ejected. */
function balance(
  policy: Plain | Partial<Balancing>,
  hosts: readonly (Host | Member<Host>)[],
): Balancer<Host> {
  const balancing: Partial<Balancing> = typeof policy === "string" ? { policy: { kind: policy } } : policy;
  const members = hosts.map((one) =>
    "host" in one ? one : { host: one, weight: one.endpoint.weight, ejected: false },
  );
  return compileBalancer(
    { policy: { kind: "RANDOM" }, panicPercent: 0, byLocality: false, ...balancing },
    members,
  );
}

/** Percent of the requests that each host gets. */
function shares(
  policy: Parameters<typeof balance>[0],
  hosts: Parameters<typeof balance>[1],
  rounds = 6000,
): number[] {
  const pick = balance(policy, hosts);
  const random = seeded(7);
  const counts = new Map<Host, number>();
  for (let round = 0; round < rounds; round++) {
    const chosen = pick(random);
    if (chosen) counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  return hosts.map((one) => Math.round(((counts.get("host" in one ? one.host : one) ?? 0) / rounds) * 100));
}

test("round robin follows the weights, evenly spread", () => {
  const hosts = [host(1, { weight: 3 }), host(2)];
  assert.deepEqual(shares("ROUND_ROBIN", hosts), [75, 25]);
  const pick = balance("ROUND_ROBIN", hosts);
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
  const pick = balance("LEAST_REQUEST", [large, small]);
  const draws = [0.95, 0.1];
  assert.equal(
    pick(() => draws.shift() ?? 0),
    large,
  );
});

test("least request gives idle hosts calls by their weights, as round robin and random do", () => {
  for (const policy of ["LEAST_REQUEST", "ROUND_ROBIN", "RANDOM"] as const) {
    const [toLarge = 0] = shares(policy, [host(1, { weight: 9 }), host(2)]);
    assert.ok(Math.abs(toLarge - 90) <= 2, `${policy}: ${toLarge} % went to the host of weight 9`);
  }
});

test("unhealthy hosts are left out, and a lower priority gets what the better one cannot take", () => {
  const hosts = [host(1, { healthy: false }), host(2), host(3, { priority: 1 })];
  const [none, better = 0, worse] = shares("RANDOM", hosts);
  // 1.4 times the healthy half.
  assert.ok(none === 0 && Math.abs(better - 70) <= 3 && worse === 100 - better, `${better} % to the better`);
  assert.deepEqual(shares("RANDOM", [host(1), host(2), host(3, { priority: 1 })])[2], 0);
  assert.deepEqual(shares("RANDOM", [host(1, { healthy: false }), host(3, { priority: 1 })]), [0, 100]);
  assert.equal(balance("LEAST_REQUEST", [host(1, { healthy: false })])(Math.random), undefined);
  assert.equal(balance("ROUND_ROBIN", [])(Math.random), undefined);
});

test("a retry goes elsewhere where there is an elsewhere", () => {
  const [a, b] = [host(1), host(2)];
  const pick = balance("RANDOM", [a, b]);
  for (const random of [0, 0.3, 0.9])
    assert.equal(
      pick(() => random, { avoid: new Set([a]) }),
      b,
    );
  assert.equal(
    pick(() => 0, { avoid: new Set([a, b]) }),
    a,
  );
});

const rules = {
  consecutive5xx: { count: 3, enforcing: 1 },
  consecutiveGateway: { count: 2, enforcing: 1 },
  consecutiveLocal: undefined,
  baseEjectionMs: 100,
  maxEjectionMs: 250,
  maxEjectionPercent: 50,
  errorStatuses: undefined,
};

test("failures in a row eject a host, a success begins anew", () => {
  const standing = newStanding();
  const note = (...statuses: (number | undefined)[]): boolean[] =>
    statuses.map((status) => noteOutcome(standing, outcomeOf(status, rules), rules, () => 0));
  assert.deepEqual(note(500, 500, 200, 500, 500, 500), [false, false, false, false, false, true]);
  assert.deepEqual(note(200, 503, undefined), [false, false, true]);
});

test("failures to connect count as gateway errors, or by themselves where the rules tell them apart", () => {
  const note = (split: boolean, ...statuses: (number | "unconnected")[]): boolean[] => {
    const standing = newStanding();
    const own = { ...rules, consecutiveLocal: split ? { count: 3, enforcing: 1 } : undefined };
    return statuses.map((status) => noteOutcome(standing, outcomeOf(status, own), own, () => 0));
  };
  assert.deepEqual(note(false, "unconnected", 503), [false, true]);
  assert.deepEqual(note(true, "unconnected", 503, "unconnected", 503), [false, false, false, true]);
  assert.deepEqual(note(true, "unconnected", "unconnected", "unconnected"), [false, false, true]);
});

test("where statuses are named they are the errors, and those of a gateway among them gateway errors", () => {
  const errors = { errorStatuses: new Set([429, 503]) };
  const outcomes = [200, 429, 500, 502, 503, undefined, "unconnected"] as const;
  assert.deepEqual(
    outcomes.map((status) => outcomeOf(status, errors)),
    ["ok", "5xx", "ok", "ok", "gateway", "gateway", "local"],
  );
});

test("each ejection is longer than the last, and only part of the hosts may be out", () => {
  const standing = newStanding();
  eject(standing, rules, 1000);
  assert.equal(standing.ejectedUntilMs, 1100);
  eject(standing, rules, 2000);
  assert.equal(standing.ejectedUntilMs, 2200);
  eject(standing, rules, 3000);
  assert.equal(standing.ejectedUntilMs, 3250);
  assert.deepEqual(
    [mayEject(0, 2, rules), mayEject(1, 2, rules), mayEject(1, 3, rules), mayEject(0, 0, rules)],
    [true, false, true, false],
  );
});

const ejected = (one: Host): Member<Host> => ({ host: one, weight: 1, ejected: true });

test("ejected hosts are used in panic only, unhealthy ones never", () => {
  const hosts = [ejected(host(1)), ejected(host(2)), host(3), host(4, { healthy: false })];
  assert.deepEqual(shares({ panicPercent: 0 }, hosts), [0, 0, 100, 0]);
  const [a = 0, b = 0, c = 0, d] = shares({ panicPercent: 50 }, hosts);
  assert.ok(
    [a, b, c].every((share) => Math.abs(share - 33) <= 3),
    [a, b, c].join(),
  );
  assert.equal(d, 0);
});

test("localities get their weights' shares, less when few of their hosts are healthy", () => {
  const at = (port: number, name: string, weight: number): Host => host(port, { locality: { name, weight } });
  const near = [at(1, "near", 80), at(2, "near", 80), at(3, "near", 80)];
  const hosts = [...near, at(4, "far", 20), at(5, "none", 0)];
  const [one = 0, , , far = 0, none] = shares({ byLocality: true }, hosts);
  assert.ok(Math.abs(one - 27) <= 2 && Math.abs(far - 20) <= 2, `${one} % and ${far} %`);
  assert.equal(none, 0);
  // A third of 1.4 is left of the near ones: 80 * 0.467 to 20.
  const [left = 0, , , more = 0] = shares({ byLocality: true }, [
    at(1, "near", 80),
    ...[2, 3].map((port) => ejected(at(port, "near", 80))),
    at(4, "far", 20),
  ]);
  assert.ok(Math.abs(left - 65) <= 3 && Math.abs(more - 35) <= 3, `${left} % and ${more} %`);
});

test("a retry leaves the priorities that it has tried, as long as there is another", () => {
  const [first, second] = [host(1), host(2, { priority: 1 })];
  const pick = balance("RANDOM", [first, second]);
  assert.equal(
    pick(() => 0, { avoidPriorities: new Set([0]) }),
    second,
  );
  assert.equal(
    pick(() => 0, { avoidPriorities: new Set([0, 1]) }),
    first,
  );
});
