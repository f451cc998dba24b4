import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { generateJoinSecret } from "../../mesh/identity/join-token.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { openDatabase } from "../store/database.ts";
import { type AgentBinding, UNBOUND } from "./agent-binding.ts";
import { JoinTokenStore, type Redemption } from "./join-token-store.ts";

const TTL_MS = 15 * 60_000;

interface Subject {
  readonly clock: ManualClock;
  readonly store: JoinTokenStore;
  readonly redeem: (secret: string, key?: string, nodeName?: string, address?: string) => Redemption;
}

function subject(path = ":memory:"): Subject {
  const clock = new ManualClock();
  const store = new JoinTokenStore(openDatabase(path), clock);
  return {
    clock,
    store,
    redeem: (secret, key = "key", nodeName = "vm-1", address = "10.1.2.3") =>
      store.redeem({ secret, publicKeyDer: Buffer.from(key), nodeName, address, agentId: randomUUID() }),
  };
}

test("a token is good once", () => {
  const { store, redeem } = subject();
  const binding: AgentBinding = { ...UNBOUND, namespace: "shop", serviceAccounts: ["reviews"] };
  const { secret, id } = store.create({ binding, ttlMs: TTL_MS });
  const first = redeem(secret);
  assert.ok(first.ok);
  assert.deepEqual(first.binding, binding);
  assert.equal(first.tokenId, id);
  assert.equal(first.repeated, false);
  assert.deepEqual(redeem(secret, "another key"), { ok: false, reason: `token ${id} was used already` });
});

test("of a hundred hosts that try one token at once, one joins", async () => {
  const { store, redeem } = subject();
  const { secret } = store.create({ binding: UNBOUND, ttlMs: TTL_MS });
  const tries = Array.from({ length: 100 }, async (_, index) => {
    await Promise.resolve();
    return redeem(secret, `key ${index}`);
  });
  const joined = (await Promise.all(tries)).filter(({ ok }) => ok);
  assert.equal(joined.length, 1);
});

test("two servers on one database do not both take a token", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lateen-token-"));
  try {
    const one = subject(join(directory, "lateen.db"));
    const two = subject(join(directory, "lateen.db"));
    for (let round = 0; round < 20; round++) {
      const { secret } = one.store.create({ binding: UNBOUND, ttlMs: TTL_MS });
      const outcomes = [one.redeem(secret, "a"), two.redeem(secret, "b")];
      assert.equal(outcomes.filter(({ ok }) => ok).length, 1);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("the same key may repeat its join for a minute and gets the same agent id", () => {
  const { store, redeem, clock } = subject();
  const { secret } = store.create({ binding: UNBOUND, ttlMs: TTL_MS });
  const first = redeem(secret);
  clock.advance(59_000);
  const again = redeem(secret);
  assert.ok(first.ok && again.ok);
  assert.equal(again.agentId, first.agentId);
  assert.equal(again.repeated, true);
  clock.advance(2000);
  assert.equal(redeem(secret).ok, false);
});

test("a token that has expired, or that never was, is refused", () => {
  const { store, redeem, clock } = subject();
  const { secret, expiresAt } = store.create({ binding: UNBOUND, ttlMs: TTL_MS });
  assert.equal(expiresAt, clock.now() + TTL_MS);
  clock.advance(TTL_MS);
  assert.equal(redeem(secret).ok, false);
  for (const wrong of [
    generateJoinSecret(),
    "",
    "x",
    `${secret} `,
    secret.toLowerCase(),
    "a".repeat(1_000_000),
  ]) {
    assert.equal(redeem(wrong).ok, false);
  }
});

test("a token for one node is no other's, and is not used up by the attempt", () => {
  const { store, redeem } = subject();
  const { secret } = store.create({ binding: { ...UNBOUND, nodeName: "vm-7" }, ttlMs: TTL_MS });
  assert.equal(redeem(secret, "key", "vm-8").ok, false);
  assert.equal(redeem(secret, "key", "vm-7").ok, true);
  assert.equal(redeem(secret, "key", "vm-8").ok, false);
});

test("a token for a range of addresses is no other host's, and is not used up by the attempt", () => {
  const { store, redeem } = subject();
  const cidrs = ["10.1.0.0/16", "fd00:7::/64"];
  const { secret } = store.create({ binding: { ...UNBOUND, cidrs }, ttlMs: TTL_MS });
  for (const elsewhere of ["10.2.0.1", "::1", "fd00:8::1", "::ffff:10.2.0.1", "unknown", ""]) {
    assert.equal(redeem(secret, "key", "vm-1", elsewhere).ok, false, elsewhere);
  }
  assert.equal(redeem(secret, "key", "vm-1", "::ffff:10.1.9.9").ok, true);
  assert.equal(redeem(secret, "key", "vm-1", "10.2.0.1").ok, false, "not for a repetition either");
});

test("tokens are listed with their state and without their secret, and can be taken back", () => {
  const { store, redeem, clock } = subject();
  const used = store.create({ binding: UNBOUND, ttlMs: TTL_MS });
  const expired = store.create({ binding: UNBOUND, ttlMs: 1000 });
  const active = store.create({ binding: UNBOUND, ttlMs: TTL_MS });
  const joined = redeem(used.secret);
  clock.advance(1000);
  const list = store.list();
  assert.deepEqual(
    new Map(list.map(({ id, state }) => [id, state])),
    new Map([
      [used.id, "used"],
      [expired.id, "expired"],
      [active.id, "active"],
    ]),
  );
  assert.ok(joined.ok);
  assert.equal(list.find(({ id }) => id === used.id)?.usedBy, joined.agentId);
  assert.ok(!JSON.stringify(list).includes(active.secret));
  assert.equal(store.revoke(active.id), true);
  assert.equal(store.revoke(active.id), false);
  assert.equal(redeem(active.secret).ok, false);
});

test("old tokens leave the list", () => {
  const { store, clock } = subject();
  const { id } = store.create({ binding: UNBOUND, ttlMs: 1000 });
  clock.advance(31 * 86_400_000);
  store.create({ binding: UNBOUND, ttlMs: 1000 });
  assert.ok(!store.list().some((token) => token.id === id));
});

test("the database does not hold the secret", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lateen-token-"));
  try {
    const path = join(directory, "lateen.db");
    const { secret } = subject(path).store.create({ binding: UNBOUND, ttlMs: TTL_MS });
    for (const file of [path, `${path}-wal`]) {
      const bytes = await readFile(file).catch(() => Buffer.alloc(0));
      assert.equal(bytes.includes(secret), false);
      assert.equal(bytes.includes(Buffer.from(secret, "base64url")), false);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
