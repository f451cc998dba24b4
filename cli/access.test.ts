import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FileAuditLog } from "../controlplane/audit/audit-log.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { FAKE_NOW } from "../test/fakes/admin-deps.ts";
import { runCli, startCli } from "../test/harness/run-cli.ts";

test("an access token is made for a role in namespaces, told once, listed and revoked", async (t) => {
  const cli = await startCli(t);
  const made = await cli.run([
    "access",
    "create",
    "ci",
    "--role",
    "editor",
    "--namespaces",
    "shop",
    "blog",
    "--ttl",
    "12h",
  ]);
  assert.deepEqual([made.code, made.stdout], [0, "lateen-access.a1.hush\n"]);
  assert.match(made.stderr, /role editor in shop, blog for 12h/);
  assert.deepEqual(cli.server.access, [
    { id: "a1", name: "ci", role: "editor", namespaces: ["shop", "blog"] },
  ]);
  const list = await cli.run(["access", "list"]);
  assert.match(
    list.stdout,
    /^ID +NAME +ROLE +NAMESPACES +STATE +EXPIRES +LAST USED\na1 +ci +editor +shop,blog +active +in /,
  );
  assert.doesNotMatch(list.stdout, /hush/);
  assert.equal((await cli.run(["access", "revoke", "a1"])).stdout, "access/a1 revoked\n");
  assert.equal((await cli.run(["access", "revoke", "a1"])).code, 1);
});

const misused: readonly (readonly string[])[] = [
  ["access", "create", "ci", "--role", "king"],
  ["access", "create", "a b"],
  ["access", "create", "ci", "--ttl", "400d"],
  ["audit", "verify", "--dir", "/none"],
  ["audit", "verify", "--expect", "4711"],
];
for (const argv of misused) {
  test(`lateen ${argv.join(" ")} is a misuse`, async (t) => {
    const cli = await startCli(t);
    const { code, stdout } = await cli.run(argv);
    assert.deepEqual([code, stdout], [64, ""]);
  });
}

test("the newest records of the audit log are a table, with the head and what was lost beside it", async (t) => {
  const cli = await startCli(t);
  const record = { seq: 7, at: new Date(FAKE_NOW).toISOString(), actor: "access-token:ci", from: "10.0.0.1" };
  cli.server.audit = {
    records: [
      {
        ...record,
        action: "POST /v1/apply",
        outcome: "done",
        details: { objects: ["VirtualService a/b created"] },
      },
    ],
    head: { seq: 7, hash: "ab".repeat(32) },
    lost: 2,
  };
  const { code, stdout, stderr } = await cli.run(["audit", "list"]);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^SEQ +AGE +ACTOR +FROM +ACTION +OUTCOME +DETAILS\n7 +3m +access-token:ci +10\.0\.0\.1 +POST \/v1\/apply +done /,
  );
  assert.match(stderr, /^head 7:(ab){32}\nwarning: 2 records could not be written/);
});

test("a log that is whole verifies with its head, and one that was touched does not", async (t) => {
  const { directory } = await startCli(t);
  const dir = join(directory, "audit");
  await using log = await FileAuditLog.open({
    directory: dir,
    clock: { now: () => FAKE_NOW },
    logger: silentLogger,
  });
  const empty = await runCli(["audit", "verify", "--dir", dir]);
  assert.deepEqual([empty.code, empty.stdout], [0, "ok: the log has no record\n"]);
  for (const action of ["a", "b"]) await log.record({ action, outcome: "done", actor: "socket:socket" });
  const { head } = log;
  const whole = await runCli(["audit", "verify", "--dir", dir, "--expect", `${head.seq}:${head.hash}`]);
  assert.deepEqual([whole.code, whole.stdout], [0, `ok: records 1 to 2 are whole, head 2:${head.hash}\n`]);
  const file = join(dir, readdirSync(dir)[0] ?? "");
  writeFileSync(file, readFileSync(file, "utf8").replace('"action":"a"', '"action":"x"'));
  const touched = await runCli(["audit", "verify", "--dir", dir]);
  assert.equal(touched.code, 1);
  assert.match(touched.stderr, /:2: record 1 is not the one that it was/);
  // The hashes are those that anybody can work out.
  const line = readFileSync(file, "utf8").split("\n")[1] ?? "";
  const sum = createHash("sha256").update(line).digest("hex");
  assert.equal(sum, head.hash);
});
