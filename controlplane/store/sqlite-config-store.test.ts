import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { API, keyFor, policyObject, testConfigStore } from "./config-store.contract.ts";
import { openDatabase } from "./database.ts";
import { revisionsOf, routeTo, settleAll, testKeptRevisions } from "./kept-revisions.contract.ts";
import { SqliteConfigStore } from "./sqlite-config-store.ts";

const directory = mkdtempSync(join(tmpdir(), "lateen-store-"));
after(() => rmSync(directory, { recursive: true }));

let files = 0;
function databasePath(): string {
  files += 1;
  return join(directory, `${files}.db`);
}

function storeOn(database: DatabaseSync, now: () => number = () => systemClock.now()): SqliteConfigStore {
  return new SqliteConfigStore({ database, clock: { ...systemClock, now }, logger: silentLogger });
}

for (const testContract of [testConfigStore, testKeptRevisions]) {
  testContract("sqlite", () => {
    let time = 0;
    return {
      store: storeOn(openDatabase(":memory:"), () => time),
      setNow: (now) => {
        time = now;
      },
    };
  });
}

test("a reopened store has the same objects, with the same times, origins and revision", () => {
  const path = databasePath();
  const first = openDatabase(path);
  const store = storeOn(first, () => 1000);
  store.apply([policyObject("a"), policyObject("b", "DISABLE", "shop")], API);
  store.apply([policyObject("c")], { origin: "/etc/lateen.d/c.yaml" });
  store.apply([policyObject("a", "PERMISSIVE")], API);
  const before = store.list();
  first.close();

  const second = openDatabase(path);
  const reopened = storeOn(second, () => 9000);
  assert.deepEqual(reopened.list(), before);
  assert.equal(reopened.revision, 3);
  assert.throws(() => reopened.apply([policyObject("c")], API), { code: "object.conflict" });
  reopened.apply([policyObject("a")], API);
  assert.equal(reopened.get(keyFor("a"))?.createdAt, 1000);
  second.close();
});

test("the revision grows over a restart even when the last change was a deletion", () => {
  const path = databasePath();
  const first = openDatabase(path);
  const store = storeOn(first);
  store.apply([policyObject("a")], API);
  store.delete(keyFor("a"), API);
  first.close();

  const second = openDatabase(path);
  const reopened = storeOn(second);
  assert.equal(reopened.revision, 2);
  const [applied] = reopened.apply([policyObject("b")], API);
  assert.equal(applied?.object.revision, 3);
  second.close();
});

/** Opens a database that is there, looks at it or changes it, and closes it. */
function at<T>(path: string, look: (store: SqliteConfigStore, database: DatabaseSync) => T): T {
  const database = openDatabase(path);
  try {
    return look(storeOn(database), database);
  } finally {
    database.close();
  }
}

test("a reopened store keeps the revision that was in force, until the newest is settled for good", () => {
  const path = databasePath();
  at(path, (store) => {
    store.apply([routeTo("a")], API);
    settleAll(store);
    store.apply([routeTo("b")], API);
  });
  const before = at(path, (store) => store.unsettled());
  assert.equal(before[0]?.kept?.createdAt, before[0]?.object.createdAt);
  at(path, (store) => {
    assert.deepEqual(revisionsOf(store), [[2, 1]]);
    store.apply([routeTo("c")], API);
    assert.deepEqual(revisionsOf(store), [[3, 1]]);
    settleAll(store);
  });
  assert.deepEqual(at(path, revisionsOf), []);
});

test("a database of a version that kept no revisions opens; what it has counts as in force", () => {
  const path = databasePath();
  at(path, (store, database) => {
    store.apply([routeTo("a")], API);
    database.exec("DROP TABLE config_kept");
  });
  at(path, (store) => {
    assert.deepEqual(revisionsOf(store), []);
    store.apply([routeTo("b")], API);
    assert.deepEqual(revisionsOf(store), [[2, 1]]);
  });
});

test("what is kept is forgotten where a version that keeps nothing has changed or deleted the object", () => {
  for (const change of ["UPDATE config_objects SET revision = 9", "DELETE FROM config_objects"]) {
    const path = databasePath();
    at(path, (store) => {
      store.apply([routeTo("a")], API);
      settleAll(store);
      store.apply([routeTo("b")], API);
    });
    const older = openDatabase(path);
    older.exec(change);
    older.close();
    assert.deepEqual(at(path, revisionsOf), []);
    assert.equal(
      at(path, (_, database) => database.prepare("SELECT count(*) AS n FROM config_kept").get()?.["n"]),
      0,
    );
  }
});

test("a kept revision that no longer parses is told, and the object stays", () => {
  const path = databasePath();
  at(path, (store, database) => {
    store.apply([routeTo("a")], API);
    settleAll(store);
    store.apply([routeTo("b")], API);
    database.exec("UPDATE config_kept SET written = '{'");
  });
  const database = openDatabase(path);
  const logged: unknown[] = [];
  const logger = { ...silentLogger, error: (_: string, fields?: unknown) => logged.push(fields) };
  const store = new SqliteConfigStore({ database, clock: systemClock, logger });
  assert.deepEqual(revisionsOf(store), [[2, undefined]]);
  assert.equal(logged.length, 1);
  database.close();
});

test("a revision that the disk refuses to settle stays unsettled", () => {
  const database = openDatabase(databasePath());
  const store = storeOn(database);
  store.apply([routeTo("a")], API);
  database.exec("PRAGMA query_only = ON");
  assert.throws(() => settleAll(store), { code: "store.failed" });
  assert.deepEqual(revisionsOf(store), [[1, undefined]]);
  database.close();
});

const damages = [
  { name: "that is no JSON", written: "{", reason: /JSON/ },
  {
    name: "that a rule of today refuses",
    written: JSON.stringify({ kind: "WasmPlugin" }),
    reason: /not supported yet/,
  },
  {
    name: "that has another name",
    written: JSON.stringify(policyObject("z").written),
    reason: /another key/,
  },
];

for (const { name, written, reason } of damages) {
  test(`a row ${name} is kept and skipped, told, and comes back with its creation time`, () => {
    const path = databasePath();
    const first = openDatabase(path);
    storeOn(first, () => 1000).apply([policyObject("a"), policyObject("b")], API);
    first.prepare("UPDATE config_objects SET written = ? WHERE key = ?").run(written, keyFor("a"));
    first.close();

    const second = openDatabase(path);
    const logged: unknown[] = [];
    const logger = { ...silentLogger, error: (_: string, fields?: unknown) => logged.push(fields) };
    const store = new SqliteConfigStore({ database: second, clock: systemClock, logger });
    assert.deepEqual(
      store.list().map(({ metadata }) => metadata.name),
      ["b"],
    );
    assert.equal(store.get(keyFor("a")), undefined);
    assert.match(store.unreadable[0]?.reason ?? "", reason);
    assert.equal(logged.length, 1);
    assert.equal(second.prepare("SELECT count(*) AS rows FROM config_objects").get()?.["rows"], 2);
    assert.throws(() => store.apply([policyObject("a")], { origin: "/d/a.yaml" }), {
      code: "object.conflict",
    });

    const [applied] = store.apply([policyObject("a", "DISABLE")], API);
    assert.equal(applied?.outcome, "configured");
    assert.equal(applied?.object.createdAt, 1000);
    assert.deepEqual(store.unreadable, []);
    second.close();
  });
}

test("what the disk refuses has not happened", () => {
  const database = openDatabase(databasePath());
  const store = storeOn(database);
  store.apply([policyObject("a")], API);
  let heard = 0;
  store.onChange(() => {
    heard += 1;
  }, new AbortController().signal);
  database.exec("PRAGMA query_only = ON");
  assert.throws(() => store.apply([policyObject("a", "DISABLE")], API), { code: "store.failed" });
  assert.throws(() => store.delete(keyFor("a"), API), { code: "store.failed" });
  assert.deepEqual(store.get(keyFor("a"))?.written["spec"], { mtls: { mode: "STRICT" } });
  assert.equal(store.revision, 1);
  assert.equal(heard, 0);
  database.exec("PRAGMA query_only = OFF");
  assert.equal(store.delete(keyFor("a"), API), true);
  database.close();
});

test("a database that cannot be read is told, with what to do", () => {
  const database = openDatabase(databasePath());
  database.close();
  assert.throws(() => storeOn(database), { code: "store.failed", hint: /state directory/ });
});
