import assert from "node:assert/strict";
import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { giveAway } from "./hand-over.ts";

const skip = process.getuid?.() === 0 ? false : "only root gives files away";

test("what is in a directory becomes another user's, and what links in it lead to does not", {
  skip,
}, (t) => {
  const root = mkdtempSync(join(tmpdir(), "lateen-hand-over-"));
  t.after(() => rmSync(root, { recursive: true }));
  const state = join(root, "state");
  mkdirSync(join(state, "identity"), { recursive: true });
  mkdirSync(join(root, "etc"));
  for (const path of ["state/identity/agent.json", "etc/shadow", "etc/passwd"])
    writeFileSync(join(root, path), "");
  symlinkSync(join(root, "etc"), join(state, "planted"));
  symlinkSync(join(root, "etc/passwd"), join(state, "identity/planted.json"));
  linkSync(join(root, "etc/shadow"), join(state, "identity/hard.json"));

  giveAway(state, { uid: 4242, gid: 4243 });

  const owner = (path: string): number => statSync(join(root, path)).uid;
  assert.deepEqual(["state", "state/identity", "state/identity/agent.json"].map(owner), [4242, 4242, 4242]);
  assert.deepEqual(["etc", "etc/shadow", "etc/passwd"].map(owner), [0, 0, 0]);
});

test("a directory that is a link is left alone, and so is what it leads to", { skip }, (t) => {
  const root = mkdtempSync(join(tmpdir(), "lateen-hand-over-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "theirs"));
  symlinkSync(join(root, "theirs"), join(root, "state"));
  giveAway(join(root, "state"), { uid: 4242, gid: 4243 });
  assert.equal(statSync(join(root, "theirs")).uid, 0);
});
