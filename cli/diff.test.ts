import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { DiffReply } from "../mesh/admin-api/replies.ts";
import { object, service, workload } from "../test/harness/analysis.ts";
import { runCli, startCli } from "../test/harness/run-cli.ts";
import { mintRoot } from "../test/harness/test-certificates.ts";

/** A directory for each of the texts. */
function directories(t: TestContext, ...texts: readonly string[]): readonly string[] {
  const path = mkdtempSync(join(tmpdir(), "lateen-diff-"));
  t.after(() => rmSync(path, { recursive: true }));
  return texts.map((text, index) => {
    const directory = join(path, String(index));
    mkdirSync(directory);
    writeFileSync(join(directory, "mesh.yaml"), text);
    return directory;
  });
}

const PAGE = workload("page", "labels: { app: page }", "10.3.0.1");
const BEFORE = [service("reviews"), PAGE].join("---\n");
const AFTER = BEFORE.replace("address: 10.0.0.7", "address: 10.0.0.8");
const RULE = object("DestinationRule", "reviews", "{ host: reviews }");

test("diff --against says which objects and which resources of each proxy are others, and exits with 1", async (t) => {
  const [before = "", after = ""] = directories(t, BEFORE, [AFTER, RULE].join("---\n"));
  const { code, stdout } = await runCli(["diff", "-f", after, "--against", before, "-o", "json"]);
  assert.equal(code, 1);
  const { objects, workloads } = JSON.parse(stdout) as DiffReply;
  assert.deepEqual(
    objects.map(({ kind, name, change, fields }) => [kind, name, change, fields]),
    [
      ["DestinationRule", "reviews", "created", []],
      ["ServiceEntry", "reviews", "unchanged", []],
      ["WorkloadEntry", "page", "unchanged", []],
      [
        "WorkloadEntry",
        "reviews-1",
        "changed",
        [{ path: "spec.address", before: "10.0.0.7", after: "10.0.0.8" }],
      ],
    ],
  );
  const page = workloads.find(({ workload: id }) => id === "default/page");
  const endpoint = page?.resources.find(({ type }) => type === "endpoint");
  assert.deepEqual(endpoint, {
    type: "endpoint",
    name: "outbound|9080||reviews.default.svc.cluster.local",
    change: "changed",
  });
});

test("diff for people marks what comes, changes and goes", async (t) => {
  const [before = "", after = ""] = directories(t, [BEFORE, RULE].join("---\n"), AFTER);
  const { code, stdout } = await runCli(["diff", "-f", after, "--against", before, "--verbose"]);
  assert.equal(code, 1);
  assert.match(stdout, /^- DestinationRule default\/reviews deleted\n/);
  assert.match(
    stdout,
    /\n~ WorkloadEntry default\/reviews-1 changed\n {4}spec\.address: "10\.0\.0\.7" → "10\.0\.0\.8"\n/,
  );
  assert.match(
    stdout,
    /\nworkload default\/page\n(.*\n)*? {2}~ endpoint outbound\|9080\|\|reviews\.default\.svc\.cluster\.local changed\n {6}endpoints\[0\].*"10\.0\.0\.7" → "10\.0\.0\.8"\n/,
  );
});

test("diff of what is the same says so and exits with 0", async (t) => {
  const [before = "", after = ""] = directories(t, BEFORE, BEFORE);
  assert.deepEqual(await runCli(["diff", "-f", after, "--against", before]), {
    code: 0,
    stdout: "",
    stderr: "No changes: 3 objects are as they are.\n",
  });
});

test("diff tells that a secret changes, and never shows it", async (t) => {
  const secret = (pem: string): string =>
    `apiVersion: v1\nkind: Secret\nmetadata: { name: s }\ndata: { ca.crt: ${Buffer.from(pem).toString("base64")} }\n`;
  const [old, next] = [mintRoot("old").pem, mintRoot("next").pem];
  const [before = "", after = ""] = directories(t, secret(old), secret(next));
  const { code, stdout } = await runCli(["diff", "-f", after, "--against", before, "-o", "json"]);
  const { objects } = JSON.parse(stdout) as DiffReply;
  assert.deepEqual(
    [code, objects.map(({ name, change, fields }) => [name, change, fields])],
    [1, [["s", "changed", []]]],
  );
});

test("diff refuses files with errors on either side", async (t) => {
  const broken = BEFORE.replace("hosts: [reviews.default.svc.cluster.local]", "hosts: 7");
  const [before = "", after = ""] = directories(t, BEFORE, broken);
  for (const argv of [
    ["-f", after, "--against", before],
    ["-f", before, "--against", after],
  ]) {
    const { code, stdout, stderr } = await runCli(["diff", ...argv]);
    assert.deepEqual([code, stdout], [65, ""]);
    assert.match(stderr, /mesh\.yaml:4 {2}spec\.hosts/);
  }
});

test("diff without --against asks the server", async (t) => {
  const cli = await startCli(t);
  const [path = ""] = directories(t, object("VirtualService", "a", "{ odd: 1 }"));
  assert.deepEqual(await cli.run(["diff", "-f", path, "-o", "json"]), {
    code: 0,
    stdout: '{\n  "objects": [],\n  "workloads": []\n}\n',
    stderr: "",
  });
  cli.server.difference = {
    objects: [{ kind: "VirtualService", namespace: "default", name: "a", change: "created", fields: [] }],
    workloads: [],
  };
  assert.deepEqual(await cli.run(["diff", "-f", path]), {
    code: 1,
    stdout: "+ VirtualService default/a created\n",
    stderr: "",
  });
  assert.deepEqual(cli.server.overlays, [[`${join(path, "mesh.yaml")} a`], [`${join(path, "mesh.yaml")} a`]]);
  const [wrong = ""] = directories(t, object("VirtualService", "a", "{ wrong: 1 }"));
  const refused = await cli.run(["diff", "-f", wrong]);
  assert.equal(refused.code, 65);
  assert.match(refused.stderr, /mesh\.yaml:4 {2}spec\.wrong {2}is wrong\n/);
});
