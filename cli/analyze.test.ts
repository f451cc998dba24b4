import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { AnalysisMessage } from "../mesh/admin-api/replies.ts";
import { object, service } from "../test/harness/analysis.ts";
import { runCli, startCli } from "../test/harness/run-cli.ts";

function file(t: TestContext, text: string, name = "mesh.yaml"): string {
  const path = mkdtempSync(join(tmpdir(), "lateen-analyze-"));
  t.after(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, name), text);
  return join(path, name);
}

function items(stdout: string): readonly AnalysisMessage[] {
  return (JSON.parse(stdout) as { items: readonly AnalysisMessage[] }).items;
}

const UNKNOWN_HOST = object("DestinationRule", "a", "{ host: none }");
const UNKNOWN_DESTINATION = object(
  "VirtualService",
  "b",
  "{ hosts: [b.example.com], http: [{ route: [{ destination: { host: none } }] }] }",
);

test("analyze finds nothing in files that are right, and exits with 0", async (t) => {
  const path = file(t, service("reviews"));
  assert.deepEqual(await runCli(["analyze", path]), { code: 0, stdout: "", stderr: "No issues found.\n" });
});

test("analyze tells code, level, origin, file, line and message", async (t) => {
  const path = file(t, [service("reviews"), UNKNOWN_HOST].join("---\n"));
  const { code, stdout } = await runCli(["analyze", "-f", path, "-o", "json"]);
  assert.equal(code, 0, "a warning is below the threshold");
  assert.deepEqual(items(stdout), [
    {
      code: "IST0174",
      severity: "Warning",
      documentationUrl: "https://istio.io/latest/docs/reference/config/analysis/ist0174/",
      origin: "DestinationRule default/a",
      file: path,
      line: 14,
      message: "the host none is no service of the mesh, so the rule does nothing",
    },
  ]);
  const { stdout: table } = await runCli(["analyze", "-f", path]);
  assert.match(
    table,
    new RegExp(`^LEVEL .*\nWarning +IST0174 +DestinationRule default/a +${path}:14 +the host none`),
  );
});

for (const [threshold, text, want] of [
  ["Error", UNKNOWN_DESTINATION, 79],
  ["Error", UNKNOWN_HOST, 0],
  ["Warning", UNKNOWN_HOST, 79],
  ["Info", UNKNOWN_HOST, 79],
  ["Info", service("a"), 0],
] as const) {
  test(`--failure-threshold ${threshold} exits with ${want} for ${text.split("\n")[1]}`, async (t) => {
    const path = file(t, text);
    assert.equal((await runCli(["analyze", "-f", path, "--failure-threshold", threshold])).code, want);
  });
}

test("what is suppressed is neither told nor counted", async (t) => {
  const path = file(t, [UNKNOWN_HOST, UNKNOWN_DESTINATION].join("---\n"));
  const argv = ["analyze", "-f", path, "-o", "json"];
  const { code, stdout } = await runCli([...argv, "--suppress", "IST0101=VirtualService default/*"]);
  assert.deepEqual([code, items(stdout).map((one) => one.code)], [0, ["IST0174"]]);
  assert.equal((await runCli([...argv, "-S", "NOPE=x"])).code, 64);
});

test("what a schema refuses is a message; what is no object at all ends with 65", async (t) => {
  const refused = file(t, UNKNOWN_DESTINATION.replace("spec:", "spec: 7 #"));
  const { code, stdout } = await runCli(["analyze", "-f", refused, "-o", "json"]);
  assert.deepEqual([code, items(stdout).map((one) => one.code)], [79, ["IST0106"]]);
  const broken = file(t, "a: [\n");
  const second = await runCli(["analyze", "-f", broken, refused, "-o", "json"]);
  assert.deepEqual([second.code, items(second.stdout).length], [65, 1]);
  assert.match(second.stderr, new RegExp(`^${broken}:2 .*not valid YAML`));
});

test("an object with an error is analyzed as far as it goes, and what refers to it is not led astray", async (t) => {
  const path = file(
    t,
    [
      service("reviews"),
      object(
        "DestinationRule",
        "reviews",
        "{ host: reviews, subsets: [{ name: v1, trafficPolicy: { loadBalancer: { simple: BEST } } }, { name: v9, labels: { version: v9 } }] }",
      ),
      object(
        "VirtualService",
        "reviews",
        "{ hosts: [reviews], http: [{ route: [{ destination: { host: reviews, subset: v1 } }] }] }",
      ),
    ].join("---\n"),
  );
  const { code, stdout } = await runCli(["analyze", path, "-o", "json"]);
  assert.deepEqual(
    [code, items(stdout).map((one) => [one.code, one.origin, one.line])],
    [
      79,
      [
        ["IST0106", "DestinationRule default/reviews", 14],
        ["IST0173", "DestinationRule default/reviews", 14],
      ],
    ],
  );
});

test("analyze takes a MeshConfig from a file, and refuses a wrong one", async (t) => {
  const path = file(
    t,
    [service("reviews"), object("AuthorizationPolicy", "all", "{}", "namespace: root")].join("---\n"),
  );
  assert.equal((await runCli(["analyze", "-f", path, "--failure-threshold", "Warning"])).code, 79);
  const mesh = file(t, "rootNamespace: root\n", "mesh.conf");
  const argv = ["analyze", "-f", path, "--failure-threshold", "Warning", "--mesh-config"];
  assert.equal((await runCli([...argv, mesh])).code, 0);
  assert.equal((await runCli([...argv, file(t, "rootNamespace: 7\n")])).code, 65);
});

test("without files the server is analyzed, with -k the files over it", async (t) => {
  const cli = await startCli(t);
  const message = {
    code: "LAT0009",
    severity: "Error",
    origin: "MeshConfig a/b",
    message: "second",
  } as const;
  cli.server.messages = [message];
  const alone = await cli.run(["analyze", "-o", "json"]);
  assert.deepEqual([alone.code, items(alone.stdout)], [79, [message]]);
  const path = file(t, object("VirtualService", "a", "{ odd: 1 }"));
  const over = await cli.run(["analyze", "-k", "-f", path, "-o", "json", "-n", "shop"]);
  assert.deepEqual(
    items(over.stdout).map(({ code, origin }) => `${code} ${origin}`),
    ["LAT0009 MeshConfig a/b", "IST0133 VirtualService shop/a"],
  );
  assert.deepEqual(cli.server.overlays, [[], [`${path} a`]]);
});

test("without files and without a server there is nothing to analyze", async () => {
  assert.equal((await runCli(["analyze"], { environment: { LATEEN_ADDR: "unix:///nowhere.sock" } })).code, 2);
});

test("with -k a file that is no YAML is refused before the server is asked", async (t) => {
  const cli = await startCli(t);
  const { code, stdout, stderr } = await cli.run(["analyze", "-k", "-f", file(t, "a: [\n")]);
  assert.deepEqual([code, stdout, cli.server.overlays], [65, "", []]);
  assert.match(stderr, /not valid YAML/);
});
