import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBootstrap } from "./config.ts";

test("a bootstrap is read, with its defaults", () => {
  assert.deepEqual(
    parseBootstrap(JSON.stringify({ node: { id: "n" }, xdsSocket: "/x", adminSocket: "/a" })),
    {
      node: { id: "n", cluster: "", metadata: {} },
      xdsSocket: "/x",
      adminSocket: "/a",
      adminPort: undefined,
      logLevel: "info",
    },
  );
});

test("everything that is wrong is told at once, with its place", () => {
  const broken = { node: { id: "", extra: 1 }, xdsSocket: "x".repeat(200), logLevel: "loud", nodes: [] };
  assert.throws(
    () => parseBootstrap(JSON.stringify(broken)),
    (error: Error) => {
      for (const part of ["node.id", "extra", "xdsSocket", "107", "adminSocket", "logLevel", "nodes"]) {
        assert.ok(error.message.includes(part), `${part} in ${error.message}`);
      }
      return true;
    },
  );
  assert.throws(() => parseBootstrap("{"), /not JSON/);
});
