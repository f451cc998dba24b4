import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { requireTool, skipWithoutNamespaces } from "../harness/tools.ts";

const PROGRAM = join(resolve(import.meta.dirname, "../harness"), "kept-connection-program.ts");

test("a captured connection goes on while rules are applied anew and while they rest, and those that removing cuts are counted", {
  skip: skipWithoutNamespaces(),
  timeout: 60_000,
}, async () => {
  const program = ["-n", process.execPath, PROGRAM, requireTool("nft")];
  const { stdout } = await promisify(execFile)("unshare", program);
  assert.deepEqual(JSON.parse(stdout), {
    said: ["captured", "applied anew", "resting"],
    left: true,
    rules: "",
  });
});
