import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LineFile } from "./line-file.ts";

test("lines are written in batches, and after a rotation to a new file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-lines-"));
  const path = join(folder, "log");
  const file = new LineFile(path, (error) => assert.fail(String(error)));
  file.write("a\n");
  file.write("b\n");
  await file.flush();
  await rename(path, `${path}.1`);
  file.write("c\n");
  await file.close();
  assert.deepEqual([await readFile(`${path}.1`, "utf8"), await readFile(path, "utf8")], ["a\nb\n", "c\n"]);
  assert.deepEqual([file.written, file.dropped], [3, 0]);
  await rm(folder, { recursive: true });
});

test("what a disk does not take is counted, and told", async () => {
  const told: unknown[] = [];
  const file = new LineFile("/nowhere/at/all", (error) => told.push(error));
  file.write("a\n");
  await file.flush();
  assert.deepEqual([file.written, file.dropped, told.length], [0, 1, 1]);
});

test("what waits has a bound", () => {
  const file = new LineFile("/dev/full", () => {});
  const line = "x".repeat(65_535);
  for (let index = 0; index < 100; index++) file.write(line);
  assert.ok(file.dropped > 20, String(file.dropped));
});
