import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MeshError } from "../../mesh/errors.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { auditFiles } from "./audit-files.ts";
import { FileAuditLog } from "./audit-log.ts";
import { type AuditEvent, parseRecord } from "./audit-record.ts";
import { verifyAudit } from "./verify-audit.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "lateen-audit-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "audit");
}

const open = (
  directory: string,
  limits: { fileBytes?: number; keepFiles?: number } = {},
): Promise<FileAuditLog> =>
  FileAuditLog.open({ directory, clock: { now: () => NOW }, logger: silentLogger, ...limits });

const event = (action: string): AuditEvent => ({ action, outcome: "done", actor: "socket:socket" });

/** A log of so many records, closed. */
async function written(directory: string, count: number, limits = {}): Promise<void> {
  await using log = await open(directory, limits);
  for (let index = 1; index <= count; index++) await log.record(event(`change ${index}`));
}

function linesOf(directory: string): readonly string[] {
  return auditFiles(directory).flatMap((file) => readFileSync(file, "utf8").split("\n").slice(0, -1));
}

test("records are lines, each with the number and the hash of the one before, on disk when they are told so", async (t) => {
  const directory = directoryFor(t);
  await using log = await open(directory);
  await log.record({ ...event("apply"), from: "10.0.0.1", details: { namespace: "shop" } });
  assert.equal(linesOf(directory).length, 1);
  await Promise.all(["a", "b", "c"].map((action) => log.record(event(action))));
  const records = linesOf(directory).map((line) => parseRecord(line));
  assert.deepEqual(
    records.map((record) => [record?.seq, record?.action, record?.at]),
    [
      [1, "apply", "2026-01-02T03:04:05.000Z"],
      [2, "a", "2026-01-02T03:04:05.000Z"],
      [3, "b", "2026-01-02T03:04:05.000Z"],
      [4, "c", "2026-01-02T03:04:05.000Z"],
    ],
  );
  assert.deepEqual(await verifyAudit(directory), { ok: true, first: 1, head: log.head });
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(auditFiles(directory)[0] ?? "").mode & 0o777, 0o600);
});

test("a log goes on after a restart, and with a record that a kill cut off it says so", async (t) => {
  const directory = directoryFor(t);
  await written(directory, 2);
  appendFileSync(auditFiles(directory)[0] ?? "", '{"seq":3,"at":"2026');
  await using log = await open(directory);
  await log.record(event("after"));
  const actions = linesOf(directory).map((line) => parseRecord(line)?.action);
  assert.deepEqual(actions, ["change 1", "change 2", "audit.recovered", "after"]);
  assert.equal((await verifyAudit(directory)).ok, true);
});

test("a log that somebody has written into is not gone on with", async (t) => {
  const directory = directoryFor(t);
  await written(directory, 2);
  appendFileSync(auditFiles(directory)[0] ?? "", "not a record\n");
  await assert.rejects(
    open(directory),
    (error) => error instanceof MeshError && error.code === "store.failed",
  );
});

test("a log that others may read is refused", async (t) => {
  const directory = directoryFor(t);
  await written(directory, 1);
  chmodSync(auditFiles(directory)[0] ?? "", 0o644);
  await assert.rejects(open(directory), /others than its owner/);
});

/** What somebody could do to five records, and where it is found. */
const tampering: readonly {
  name: string;
  change: (lines: string[]) => readonly string[];
  line: number;
  reason: RegExp;
}[] = [
  {
    name: "a record changed",
    change: (lines) =>
      lines.map((line, index) => (index === 1 ? line.replace("change 2", "change X") : line)),
    line: 3,
    reason: /record 2 is not the one that it was/,
  },
  {
    name: "a record left out",
    change: (lines) => lines.toSpliced(2, 1),
    line: 3,
    reason: /4 follows record 2/,
  },
  {
    name: "two records in another order",
    change: ([a = "", b = "", ...rest]) => [b, a, ...rest],
    line: 2,
    reason: /record 1 follows record 2/,
  },
  {
    name: "a record put in twice",
    change: (lines) => lines.toSpliced(1, 0, lines[1] ?? ""),
    line: 3,
    reason: /2 follows record 2/,
  },
  {
    name: "a line that is no record",
    change: (lines) => lines.toSpliced(3, 0, "{}"),
    line: 4,
    reason: /no record/,
  },
  {
    name: "a beginning of its own",
    change: ([first = "", ...rest]) => [first.replace(/"prev":"./, '"prev":"0'), ...rest],
    line: 1,
    reason: /record 0 is not/,
  },
];

for (const { name, change, line, reason } of tampering) {
  test(`${name} is found`, async (t) => {
    const directory = directoryFor(t);
    await written(directory, 5);
    const [file = ""] = auditFiles(directory);
    writeFileSync(file, `${change([...linesOf(directory)]).join("\n")}\n`);
    const verdict = await verifyAudit(directory);
    assert.ok(!verdict.ok);
    assert.deepEqual([verdict.file, verdict.line], [file, line]);
    assert.match(verdict.reason, reason);
  });
}

test("a log that was cut off, or written anew, is found out by a head that was noted", async (t) => {
  const directory = directoryFor(t);
  await written(directory, 5);
  const noted = await verifyAudit(directory);
  assert.ok(noted.ok);
  assert.ok((await verifyAudit(directory, noted.head)).ok);
  const [file = ""] = auditFiles(directory);
  const lines = linesOf(directory);
  writeFileSync(file, `${lines.slice(0, 3).join("\n")}\n`);
  const cut = await verifyAudit(directory, noted.head);
  assert.ok(!cut.ok && /ends at record 3/.test(cut.reason));
  rmSync(file);
  await using log = await open(directory);
  for (let index = 0; index < 6; index++) await log.record(event("another history"));
  const anew = await verifyAudit(directory, noted.head);
  assert.ok(!anew.ok && /another hash/.test(anew.reason));
});

test("files follow each other in one chain, and the oldest go", async (t) => {
  const directory = directoryFor(t);
  await written(directory, 30, { fileBytes: 1_000, keepFiles: 3 });
  assert.equal(auditFiles(directory).length, 3);
  const verdict = await verifyAudit(directory);
  assert.ok(verdict.ok && verdict.first > 1 && verdict.head.seq === 30);
  const removed = await verifyAudit(directory, { seq: 1, hash: "0" });
  assert.ok(!removed.ok && /has been removed/.test(removed.reason));
});

test("the newest records are read from the end, over two files", async (t) => {
  const directory = directoryFor(t);
  await using log = await open(directory, { fileBytes: 1_000 });
  for (let index = 1; index <= 12; index++) await log.record(event(`change ${index}`));
  const newest = await log.newest(7);
  assert.deepEqual(
    newest.map(({ seq }) => seq),
    [6, 7, 8, 9, 10, 11, 12],
  );
});

test("with a full disk changes are refused, notes are counted, and the log is whole once there is room", async (t) => {
  const directory = directoryFor(t);
  await written(directory, 0);
  if (process.getuid?.() !== 0) {
    t.skip("mounting a small file system needs root");
    return;
  }
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=16k,mode=700", "lateen-test", directory], {
    stdio: "ignore",
  });
  try {
    await fillAndFree(directory);
  } finally {
    execFileSync("umount", ["--lazy", directory]);
  }
});

async function fillAndFree(directory: string): Promise<void> {
  await using log = await open(directory);
  await log.record(event("before"));
  const filler = join(directory, "filler");
  fill(filler);
  const refused = log.record({ ...event("change"), details: { much: "x".repeat(8_000) } });
  await assert.rejects(refused, (error) => error instanceof MeshError && error.code === "audit.unavailable");
  for (let index = 0; index < 3; index++)
    log.note({ ...event("renewal"), details: { much: "x".repeat(8_000) } });
  await log.newest(1);
  assert.equal(log.lost, 3);
  rmSync(filler);
  await log.record(event("after"));
  const records = linesOf(directory).map((line) => parseRecord(line));
  assert.deepEqual(
    records.map((record) => [record?.action, record?.details?.["lost"]]),
    [
      ["before", undefined],
      ["audit.gap", 3],
      ["after", undefined],
    ],
  );
  assert.equal((await verifyAudit(directory)).ok, true);
}

function fill(path: string): void {
  try {
    for (;;) appendFileSync(path, "x".repeat(1_024));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  }
}
