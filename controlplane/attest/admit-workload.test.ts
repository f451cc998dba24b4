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
    binding: { ...UNBOUND, namespace: "other", serviceAccounts: ["reviews"] },
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
  const binding = { namespace: "a", serviceAccounts: ["b"], nodeName: "c", cidrs: ["10.0.0.0/8"] };
  assert.deepEqual(parseBinding(formatBinding(binding)), binding);
  assert.deepEqual(parseBinding(formatBinding(UNBOUND)), UNBOUND);
  for (const text of [
    "",
    "{",
    '{"namespace":1}',
    '{"serviceAccounts":"a"}',
    '{"serviceAccounts":[1]}',
    '{"cidrs":""}',
  ]) {
    assert.throws(() => parseBinding(text), { code: "store.failed" });
  }
});

test("agents are kept with their binding, their serial, when they were seen, and whether they are banned", () => {
  const clock = new ManualClock();
  const database = openDatabase(":memory:");
  const agents = new AgentRecords(database, clock);
  const joinedAt = clock.now();
  const binding = { ...UNBOUND, namespace: "shop" };
  const attested = { method: "join-token", subject: "token 1", keyHash: "k", ttlMs: undefined } as const;
  const agent = { id: "a", nodeName: "vm-1", version: "1.0.0", binding, attested };
  assert.equal(agents.put({ ...agent, binding: UNBOUND }), true);
  assert.equal(agents.put(agent), true);
  agents.recordCertificate("a", "00");
  agents.recordCertificate("a", "01");
  clock.advance(1000);
  agents.seen("a");
  assert.equal(agents.setBanned("a", true), true);
  assert.equal(agents.setBanned("b", true), false);
  assert.equal(agents.put({ ...agent, binding: UNBOUND }), false, "a banned agent does not come in anew");
  const expected = {
    id: "a",
    nodeName: "vm-1",
    version: "1.0.0",
    binding,
    joinedAt,
    attested: { ...attested, at: joinedAt },
    serial: "01",
    previousSerial: "00",
    lastSeen: joinedAt + 1000,
    banned: true,
  };
  assert.deepEqual(agents.get("a"), expected);
  assert.deepEqual(new AgentRecords(database, clock).list(), [expected]);
  assert.equal(agents.get("b"), undefined);
});

test("a database of an earlier version gets the columns that have come since, and keeps its agents", () => {
  const database = openDatabase(":memory:");
  database.exec(`CREATE TABLE agents (id TEXT PRIMARY KEY, node_name TEXT NOT NULL, version TEXT NOT NULL,
    binding TEXT NOT NULL, joined_at INTEGER NOT NULL, serial TEXT NOT NULL, last_seen INTEGER NOT NULL,
    banned INTEGER NOT NULL DEFAULT 0) STRICT`);
  database.exec(`INSERT INTO agents VALUES ('a', 'vm-1', '1', '{}', 1, '01', 2, 0)`);
  const record = new AgentRecords(database, new ManualClock()).get("a");
  assert.equal(record?.attested.method, "join-token");
  assert.equal(record.serial, "01");
  assert.equal(record.previousSerial, "");
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
