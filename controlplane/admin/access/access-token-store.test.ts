import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ManualClock } from "../../../test/fakes/manual-clock.ts";
import { openDatabase } from "../../store/database.ts";
import { parseAccessToken } from "./access-token.ts";
import { AccessTokenStore } from "./access-token-store.ts";

const HOUR_MS = 3_600_000;

function newStore(): { readonly store: AccessTokenStore; readonly clock: ManualClock } {
  const clock = new ManualClock(Date.UTC(2026, 0, 2));
  return { store: new AccessTokenStore(openDatabase(":memory:"), clock), clock };
}

function verify(store: AccessTokenStore, token: string) {
  const parsed = parseAccessToken(token);
  return parsed && store.verify(parsed);
}

test("a token opens what it was made for until it expires", () => {
  const { store, clock } = newStore();
  const { token } = store.create("ci", { role: "editor", namespaces: ["shop"] }, HOUR_MS);
  assert.match(token, /^lateen-access\.[a-z0-9]{12}\.[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(verify(store, token)?.grant, { role: "editor", namespaces: ["shop"] });
  clock.advance(HOUR_MS - 1);
  assert.equal(verify(store, token)?.name, "ci");
  clock.advance(1);
  assert.equal(verify(store, token), undefined);
});

test("another secret, another id, a revoked token and other text open nothing", () => {
  const { store } = newStore();
  const { id, token } = store.create("ci", { role: "admin" }, HOUR_MS);
  const other = store.create("other", { role: "viewer" }, HOUR_MS);
  const [, , secret = ""] = token.split(".");
  const [, , otherSecret = ""] = other.token.split(".");
  for (const wrong of [
    `lateen-access.${id}.${otherSecret}`,
    `lateen-access.${other.id}.${secret}`,
    `lateen-access.${"a".repeat(12)}.${secret}`,
    `lateen-access.${id}.${secret.slice(0, -1)}`,
    `lateen-access.${id}.${secret}=`,
    `Lateen-access.${id}.${secret}`,
    `lateen-access.${id}.${secret}\n`,
    `lateen-access.' OR 1=1.${secret}`,
    "",
  ]) {
    assert.equal(verify(store, wrong), undefined, wrong);
  }
  assert.equal(store.revoke(id), true);
  assert.equal(store.revoke(id), false);
  assert.equal(verify(store, token), undefined);
  assert.equal(verify(store, other.token)?.name, "other");
});

test("the list tells when a token was last used, to the minute, and forgets what expired long ago", () => {
  const { store, clock } = newStore();
  const { token } = store.create("ci", { role: "viewer" }, HOUR_MS);
  assert.equal(store.list()[0]?.lastUsedAt, undefined);
  const first = clock.now();
  verify(store, token);
  clock.advance(59_000);
  verify(store, token);
  assert.equal(store.list()[0]?.lastUsedAt, first);
  clock.advance(1_000);
  verify(store, token);
  assert.equal(store.list()[0]?.lastUsedAt, first + 60_000);
  clock.advance(31 * 24 * HOUR_MS);
  store.create("new", { role: "viewer" }, HOUR_MS);
  assert.deepEqual(
    store.list().map(({ name }) => name),
    ["new"],
  );
});

test("the database has no token's secret", () => {
  const directory = mkdtempSync(join(tmpdir(), "lateen-access-"));
  try {
    const path = join(directory, "lateen.db");
    const database = openDatabase(path);
    const { id, token } = new AccessTokenStore(database, new ManualClock(0)).create(
      "ci",
      { role: "admin" },
      HOUR_MS,
    );
    database.close();
    const bytes = readFileSync(path, "latin1");
    assert.ok(bytes.includes(id));
    assert.ok(!bytes.includes(token.split(".")[2] ?? "?"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
