import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CreatedTokenReply, List, TokenReply } from "../../mesh/admin-api/replies.ts";
import { MeshServer } from "../harness/mesh-server.ts";
import { freeBlock } from "../harness/mesh-topology.ts";

test("a second server on a state directory is refused with what to do, and the first goes on", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lateen-one-server-"));
  const common = {
    directory,
    trustDomain: "e2e.local",
    consul: undefined,
    leafTtlSeconds: undefined,
    within: undefined,
  };
  try {
    await using first = new MeshServer({ ...common, address: `${await freeBlock()}.200` });
    await using second = new MeshServer({ ...common, address: `${await freeBlock()}.200` });
    await first.start();
    await assert.rejects(second.start(), { code: "config.invalid", message: /another server runs on it/ });
    const { id } = await first.admin.post<CreatedTokenReply>("/v1/tokens", { cidrs: ["10.1.0.0/16"] });
    const { items } = await first.admin.get<List<TokenReply>>("/v1/tokens");
    assert.deepEqual(
      items.map((token) => [token.id, token.binding.cidrs]),
      [[id, ["10.1.0.0/16"]]],
    );
    await first.stop();
    await second.start();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
