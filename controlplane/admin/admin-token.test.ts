import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadOrCreateAdminToken } from "./admin-token.ts";

function tokenPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "lateen-token-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return join(directory, "state", "admin.token");
}

test("the first start makes a token of 256 bits, the next ones read it", (t) => {
  const path = tokenPath(t);
  const token = loadOrCreateAdminToken(path);
  assert.equal(Buffer.from(token, "base64url").length, 32);
  assert.equal(loadOrCreateAdminToken(path), token);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, "..")).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(join(path, "..")), ["admin.token"]);
});

test("a token that others can read, or one that is too short, is refused", (t) => {
  const path = tokenPath(t);
  loadOrCreateAdminToken(path);
  chmodSync(path, 0o640);
  assert.throws(() => loadOrCreateAdminToken(path), { code: "config.invalid", message: /only its owner/ });
  writeFileSync(path, "short\n");
  chmodSync(path, 0o600);
  assert.throws(() => loadOrCreateAdminToken(path), { code: "config.invalid", message: /32 characters/ });
});
