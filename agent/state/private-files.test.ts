import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "../../test/harness/eventually.ts";
import {
  ensurePrivateDir,
  quarantine,
  readPrivate,
  removeUnfinished,
  writePrivate,
} from "./private-files.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "lateen-private-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test("what was written is read back, from a file and a directory that only their owner reaches", async (t) => {
  const state = join(await folder(t), "a", "b");
  await ensurePrivateDir(state);
  await writePrivate(join(state, "key"), "one");
  await writePrivate(join(state, "key"), "two");
  assert.equal(await readPrivate(join(state, "key")), "two");
  assert.equal(await mode(state), 0o700);
  assert.equal(await mode(join(state, "key")), 0o600);
  assert.deepEqual(await readdir(state), ["key"]);
});

test("what a killed process was writing is removed, and nothing else", { timeout: 20_000 }, async (t) => {
  const state = await folder(t);
  const folders = [join(state, "workloads"), join(state, "identity")];
  for (const path of folders) await ensurePrivateDir(path);
  // Large enough to be killed in the middle of it.
  const endless = `const { writePrivate } = await import(${JSON.stringify(import.meta.resolve("./private-files.ts"))});
    for (;;) for (const path of ${JSON.stringify(folders)}) await writePrivate(path + "/key", "k".repeat(5_000_000));`;
  const unfinished = async (): Promise<readonly string[]> =>
    (await readdir(state, { recursive: true })).filter((name) => name.endsWith(".tmp"));
  while ((await unfinished()).length === 0) {
    const writer = spawn(process.execPath, ["--input-type=module", "-e", endless]);
    const gone = once(writer, "exit");
    await eventually("it writes", async () => (await unfinished()).length > 0);
    writer.kill("SIGKILL");
    await gone;
  }
  await writeFile(join(state, "mine.tmp"), "");
  await removeUnfinished(state);
  assert.deepEqual(await unfinished(), ["mine.tmp"]);
});

test("a file that is not there is undefined, not an error", async (t) => {
  assert.equal(await readPrivate(join(await folder(t), "none")), undefined);
});

test("a directory or file that others reach is refused, with the command that mends it", async (t) => {
  const state = await folder(t);
  const file = join(state, "key");
  await writePrivate(file, "secret");
  await chmod(file, 0o644);
  await assert.rejects(readPrivate(file), { code: "agent.state", message: /mode 644/, hint: /chmod 0600/ });
  await chmod(state, 0o750);
  await assert.rejects(ensurePrivateDir(state), { code: "agent.state", hint: /chmod 0700/ });
});

test("a symbolic link is never followed", async (t) => {
  const state = await folder(t);
  await writeFile(join(state, "elsewhere"), "x", { mode: 0o600 });
  await symlink(join(state, "elsewhere"), join(state, "key"));
  await assert.rejects(readPrivate(join(state, "key")), { code: "agent.state" });
  await symlink(state, join(state, "folder"));
  await assert.rejects(ensurePrivateDir(join(state, "folder")), {
    code: "agent.state",
    message: /not a directory/,
  });
});

test("a write that fails leaves the old content and no rubbish", async (t) => {
  const state = await folder(t);
  await mkdir(join(state, "key"));
  await assert.rejects(writePrivate(join(state, "key"), "x"), { code: "agent.state", hint: /disk space/ });
  assert.deepEqual(await readdir(state), ["key"]);
});

test("a damaged file is put aside under the time", async (t) => {
  const state = await folder(t);
  await writePrivate(join(state, "key"), "x");
  assert.equal(await quarantine(join(state, "key"), 17), join(state, "key.corrupt-17"));
  assert.deepEqual(await readdir(state), ["key.corrupt-17"]);
});
