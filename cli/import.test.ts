import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CliResult, runCli } from "../test/harness/run-cli.ts";

const SPLITTER = { Kind: "service-splitter", Name: "api", Splits: [{ Weight: 100, Service: "web" }] };
const GATEWAY = { Kind: "terminating-gateway", Name: "out" };
const INTENTIONS = { Kind: "service-intentions", Name: "api", Sources: [{ Name: "web", Action: "deny" }] };

async function importing(input: unknown, ...more: readonly string[]): Promise<CliResult> {
  const text = typeof input === "string" ? input : JSON.stringify(input);
  return await runCli(["import", "consul", "-f", "-", ...more], { readStdin: async () => text });
}

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "lateen-import-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("one entry becomes YAML on stdout, and stderr says that nothing is lost", async () => {
  assert.deepEqual(await importing(SPLITTER), {
    code: 0,
    stdout: `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: api
  namespace: default
spec:
  hosts:
    - api
  http:
    - route:
        - destination:
            host: web
      retries:
        attempts: 0
`,
    stderr: "1 object, and nothing without an equivalent\n",
  });
});

test("what has no equivalent is told in a table on stderr; it fails with --strict alone", async () => {
  const { code, stdout, stderr } = await importing([SPLITTER, GATEWAY]);
  assert.equal(code, 0);
  assert.match(stdout, /^apiVersion/);
  const [first, header, row = ""] = stderr.split("\n");
  assert.equal(first, "1 object; to be looked at:");
  assert.match(header ?? "", /^KIND +NAME +FIELD +WHAT IT MEANS HERE$/);
  assert.match(row, /^terminating-gateway +out +- +services outside/);
  assert.equal((await importing([SPLITTER, GATEWAY], "--strict")).code, 1);
  assert.equal((await importing([SPLITTER], "--strict")).code, 0);
});

test("-o json has the objects and the report", async () => {
  const { stdout, stderr } = await importing([SPLITTER, GATEWAY], "-o", "json", "-n", "shop");
  const { items, report } = JSON.parse(stdout) as {
    readonly items: readonly { readonly kind: string; readonly metadata: object }[];
    readonly report: readonly { readonly kind: string }[];
  };
  assert.deepEqual(
    items.map(({ kind, metadata }) => ({ kind, metadata })),
    [{ kind: "VirtualService", metadata: { name: "api", namespace: "shop" } }],
  );
  assert.deepEqual(
    report.map(({ kind }) => kind),
    ["terminating-gateway"],
  );
  assert.equal(stderr, "");
});

test("a directory of entries is read", async (t) => {
  const path = directory(t);
  writeFileSync(join(path, "a.json"), JSON.stringify(SPLITTER));
  writeFileSync(join(path, "b.json"), JSON.stringify([GATEWAY]));
  const { code, stderr } = await runCli(["import", "consul", "-f", path]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /terminating-gateway/);
});

test("intentions in files need the default policy, which they do not say", async () => {
  const { code, stderr } = await importing(INTENTIONS);
  assert.equal(code, 64);
  assert.match(stderr, /--default-policy deny/);
  assert.equal((await importing(INTENTIONS, "--default-policy", "deny")).code, 0);
});

const REFUSED: readonly (readonly [what: string, input: unknown, code: number, says: RegExp])[] = [
  [
    "HCL",
    'Kind = "service-router"\nName = "api"\n',
    65,
    /it is HCL, not JSON[\s\S]*consul config read -kind/,
  ],
  ["HCL after a comment", '# of the shop\nKind = "service-router"\n', 65, /it is HCL/],
  ["what is no JSON", "{", 65, /it is not JSON/],
  ["an entry without a kind", { Name: "api" }, 65, /Kind/],
  ["a number for a name", { Kind: "service-router", Name: 7 }, 65, /Name/],
  [
    "a field of another type",
    { ...SPLITTER, Splits: [{ Weight: "a" }] },
    65,
    /service-splitter api: Splits\.0\.Weight/,
  ],
  ["null", "null", 65, /read -/],
];
for (const [what, input, code, says] of REFUSED) {
  test(`${what} is refused, with what to do`, async () => {
    const refused = await importing(input);
    assert.deepEqual([refused.code, refused.stdout], [code, ""], refused.stderr);
    assert.match(refused.stderr, says);
  });
}

test("one source is needed, and one alone", async () => {
  const none = await runCli(["import", "consul"]);
  assert.equal(none.code, 64);
  assert.match(none.stderr, /neither -f nor --consul/);
  const both = await runCli(["import", "consul", "-f", "-", "--consul", "http://127.0.0.1:1"]);
  assert.equal(both.code, 64);
});

test("a Consul that is not there is no answer: exit 2", async () => {
  const { code, stdout } = await runCli(["import", "consul", "--consul", "http://127.0.0.1:1"]);
  assert.deepEqual([code, stdout], [2, ""]);
});
