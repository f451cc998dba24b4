import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { openDatabase } from "../store/database.ts";
import { admitWorkload } from "./admit-workload.ts";
import { formatBinding, parseBinding, UNBOUND } from "./agent-binding.ts";
import { AgentRecords } from "./agent-records.ts";
import { KeyedRateLimit } from "./rate-limit.ts";

const workload = { namespace: "shop", serviceAccount: "reviews" };

const cases = [
  { name: "an unbound agent may have any workload", binding: UNBOUND, banned: false, ok: true },
  { name: "a banned agent may have none", binding: UNBOUND, banned: true, ok: false },
  { name: "the namespace fits", binding: { ...UNBOUND, namespace: "shop" }, banned: false, ok: true },
  { name: "the namespace is another", binding: { ...UNBOUND, namespace: "sho" }, banned: false, ok: false },
  {
    name: "the account is listed",
    binding: { ...UNBOUND, serviceAccounts: ["a", "reviews"] },
    banned: false,
    ok: true,
  },
  {
    name: "the account is not listed",
    binding: { ...UNBOUND, serviceAccounts: ["a"] },
    banned: false,
    ok: false,
  },
  { name: "no account is listed", binding: { ...UNBOUND, serviceAccounts: [] }, banned: false, ok: false },
  {
    name: "the account fits, the namespace does not",
    binding: { namespace: "other", serviceAccounts: ["reviews"], nodeName: undefined },
    banned: false,
    ok: false,
  },
];

for (const { name, binding, banned, ok } of cases) {
  test(`admission: ${name}`, () => {
    assert.equal(admitWorkload({ binding, banned }, workload).ok, ok);
  });
}

test("a binding comes back as it was stored, and rubbish is never taken for no binding", () => {
  const binding = { namespace: "a", serviceAccounts: ["b"], nodeName: "c" };
  assert.deepEqual(parseBinding(formatBinding(binding)), binding);
  assert.deepEqual(parseBinding(formatBinding(UNBOUND)), UNBOUND);
  for (const text of ["", "{", '{"namespace":1}', '{"serviceAccounts":"a"}', '{"serviceAccounts":[1]}']) {
    assert.throws(() => parseBinding(text), { code: "store.failed" });
  }
});

test("agents are kept with their binding, their serial, when they were seen, and whether they are banned", () => {
  const clock = new ManualClock();
  const database = openDatabase(":memory:");
  const agents = new AgentRecords(database, clock);
  const joinedAt = clock.now();
  const binding = { ...UNBOUND, namespace: "shop" };
  agents.add({ id: "a", nodeName: "vm-1", version: "1.0.0", binding });
  agents.add({ id: "a", nodeName: "vm-2", version: "1.0.0", binding: UNBOUND });
  agents.recordCertificate("a", "01");
  clock.advance(1000);
  agents.seen("a");
  assert.equal(agents.setBanned("a", true), true);
  assert.equal(agents.setBanned("b", true), false);
  const expected = {
    id: "a",
    nodeName: "vm-1",
    version: "1.0.0",
    binding,
    joinedAt,
    serial: "01",
    lastSeen: joinedAt + 1000,
    banned: true,
  };
  assert.deepEqual(agents.get("a"), expected);
  assert.deepEqual(new AgentRecords(database, clock).list(), [expected]);
  assert.equal(agents.get("b"), undefined);
});

test("a bucket gives its burst at once and then its rate, to each key its own", () => {
  const limit = new KeyedRateLimit({ perSecond: 1, burst: 3 });
  const taken = [0, 0, 0, 0].map((now) => limit.take("a", now));
  assert.deepEqual(taken, [true, true, true, false]);
  assert.equal(limit.take("b", 0), true);
  assert.equal(limit.take("a", 999), false);
  assert.equal(limit.take("a", 1000), true);
  assert.deepEqual(
    [10_000, 10_000, 10_000, 10_000].map((now) => limit.take("a", now)),
    [true, true, true, false],
  );
});
