import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openDatabase } from "./database.ts";

const ROWS = 500;

function databaseFile(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "lateen-database-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "state", "lateen.db");
  const database = openDatabase(path);
  database.exec("CREATE TABLE kept (id INTEGER PRIMARY KEY, text TEXT)");
  const insert = database.prepare("INSERT INTO kept (text) VALUES (?)");
  for (let row = 0; row < ROWS; row++) insert.run("x".repeat(100));
  database.close();
  return path;
}

test("what was written is there after the next start, for the owner alone", (t) => {
  const path = databaseFile(t);
  const database = openDatabase(path);
  assert.deepEqual({ ...database.prepare("SELECT count(*) AS rows FROM kept").get() }, { rows: ROWS });
  database.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

const damages: Readonly<Record<string, (path: string) => void>> = {
  "is no database": (path) => writeFileSync(path, randomBytes(60_000)),
  "was cut off": (path) => truncateSync(path, 20_000),
  "has a damaged page": (path) => {
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 8192, 12_288);
    writeFileSync(path, bytes);
  },
  "is a directory": (path) => {
    rmSync(path);
    mkdirSync(path);
  },
};

for (const [name, damage] of Object.entries(damages)) {
  test(`a file that ${name} is refused by its name, with what to do`, (t) => {
    const path = databaseFile(t);
    damage(path);
    assert.throws(() => openDatabase(path), {
      code: "store.failed",
      message: new RegExp(`^open ${path}`),
      hint: /restore a damaged one from the backup/,
    });
  });
}
