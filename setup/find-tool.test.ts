import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findTool } from "./find-tool.ts";

test("the variable wins over PATH, and one that names nothing is not passed over", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-tools-"));
  const [onPath, named] = [join(folder, "bin", "nomad"), join(folder, "mine")];
  await mkdir(join(folder, "bin"));
  for (const file of [onPath, named]) {
    await writeFile(file, "#!/bin/sh\n");
    await chmod(file, 0o755);
  }
  const PATH = `/nonexistent:${join(folder, "bin")}`;
  assert.equal(findTool("nomad", { PATH }), onPath);
  assert.equal(findTool("nomad", { PATH, LATEEN_NOMAD: named }), named);
  assert.equal(findTool("nomad", { PATH, LATEEN_NOMAD: "" }), onPath);
  assert.equal(findTool("nomad", { PATH, LATEEN_NOMAD: join(folder, "absent") }), undefined);
  assert.equal(findTool("nomad", { PATH, LATEEN_NOMAD: folder }), undefined);
  await chmod(onPath, 0o644);
  assert.notEqual(findTool("nomad", { PATH }), onPath);
  await rm(folder, { recursive: true });
});
