import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { toProblem } from "./problem.ts";

/** What SQLite says on a disk without room: the file may not grow. */
function fullDisk(): unknown {
  using database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE kept (text TEXT); PRAGMA max_page_count = 2");
  try {
    database.prepare("INSERT INTO kept VALUES (?)").run("x".repeat(100_000));
  } catch (error) {
    return error;
  }
  return undefined;
}

test("a full disk is told as one, with what to do", () => {
  assert.deepEqual(toProblem(fullDisk()), {
    status: 503,
    body: {
      code: "store.failed",
      message: "use the server's database: database or disk is full",
      hint: "check that the state directory is writable and its disk not full",
    },
  });
});

test("what is not known to be harmless to tell is internal, and says nothing else", () => {
  const { status, body } = toProblem(new TypeError("secret"));
  assert.deepEqual([status, body.code], [500, "internal"]);
  assert.doesNotMatch(JSON.stringify(body), /secret/);
});
