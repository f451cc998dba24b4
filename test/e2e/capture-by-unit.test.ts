import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { findTool } from "../../setup/find-tool.ts";
import { skipWithoutNamespaces } from "../harness/tools.ts";

const PROGRAM = join(resolve(import.meta.dirname, "../harness"), "control-groups-program.ts");
const nft = findTool("nft") ?? "nft";

/** Whether this nft and this kernel know control groups. */
function skipWithoutGroups(): string | false {
  const table = "table inet lateen-try { set owners { type cgroupsv2; }; }";
  const tried = spawnSync("unshare", ["-n", nft, table], { encoding: "utf8" });
  return tried.status === 0
    ? false
    : `nft cannot tell control groups here (${tried.stderr.split("\n", 1)[0]})`;
}

test("services are told apart by their units, and a unit that starts anew tells its new group", {
  skip: skipWithoutNamespaces() || skipWithoutGroups(),
  timeout: 60_000,
}, async () => {
  const { stdout } = await promisify(execFile)("unshare", ["-n", "-m", process.execPath, PROGRAM, nft]);
  assert.deepEqual(JSON.parse(stdout), {
    one: "15001",
    two: "15300",
    neither: "ECONNREFUSED",
    restarted: "ECONNREFUSED",
    stale: ["owners_15006"],
    told: "15001",
    fresh: [],
  });
});
