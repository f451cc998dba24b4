import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { runCli } from "../test/harness/run-cli.ts";

const REVIEWS = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews }
spec:
  hosts: [reviews.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  workloadSelector: { labels: { app: reviews } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: reviews-v1 }
spec: { address: 10.0.0.1, labels: { app: reviews, version: v1 }, serviceAccount: reviews }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: page }
spec: { address: 10.0.0.2, labels: { app: page }, serviceAccount: page }
`;

/** A directory with these files, and the way to a file in it. */
function directory(t: TestContext, files: Readonly<Record<string, string>>): (name?: string) => string {
  const path = mkdtempSync(join(tmpdir(), "lateen-offline-"));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return (name = "") => join(path, name);
}

function route(host: string, extra = ""): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host} }
spec:
  hosts: [${host}]
  http: [{ route: [{ destination: { host: ${host} } }] }]
${extra}`;
}

test("validate says nothing on stdout when nothing is wrong, and exits with 0", async (t) => {
  const at = directory(t, { "a.yaml": REVIEWS, "b.yml": route("reviews") });
  assert.deepEqual(await runCli(["validate", "-f", at()]), {
    code: 0,
    stdout: "",
    stderr: "4 objects in 2 files: nothing is wrong\n",
  });
});

test("validate tells every violation of every file, each with its own line", async (t) => {
  const at = directory(t, {
    "a.yaml": route("a").replace("hosts: [a]", "hosts: 7"),
    "b.yaml": `# a comment\n${route("b", "  oddity: 1\n")}`,
    "c.yaml": "spec: [\n",
  });
  const { code, stdout } = await runCli(["validate", "-f", at(), "-o", "json"]);
  assert.equal(code, 65);
  const { kind, items } = JSON.parse(stdout) as { kind: string; items: Record<string, unknown>[] };
  assert.equal(kind, "List");
  assert.deepEqual(Object.keys(items[0] ?? {}), [
    "kind",
    "namespace",
    "name",
    "file",
    "line",
    "path",
    "message",
    "severity",
  ]);
  assert.deepEqual(
    items.map(({ file, line, path, severity }) => [file, line, path, severity]),
    [
      [at("a.yaml"), 5, "spec.hosts", "error"],
      [at("b.yaml"), 8, "spec.oddity", "warning"],
      [at("c.yaml"), 2, "", "error"],
    ],
  );
});

const DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec: {}\n";
const KUBERNETES = [
  DEPLOYMENT,
  DEPLOYMENT.replace("web", "api"),
  "apiVersion: v1\nkind: Service\nmetadata: { name: web }\n",
].join("---\n");

test("validate passes over what is not the mesh's, also with --strict, and says so", async (t) => {
  const at = directory(t, { "a.yaml": REVIEWS, "b.yaml": KUBERNETES });
  assert.deepEqual(await runCli(["validate", "-f", at(), "--strict"]), {
    code: 0,
    stdout: "",
    stderr:
      "3 objects in 2 files: nothing is wrong\npassed over 3 objects that are not the mesh's: 2 Deployment, 1 Service\n",
  });
  const { code, stdout } = await runCli(["validate", "-f", at(), "-o", "json", "--strict"]);
  const { items } = JSON.parse(stdout) as { items: Record<string, unknown>[] };
  assert.equal(code, 0);
  assert.deepEqual(
    items.map(({ kind, name, line, path, severity }) => [kind, name, line, path, severity]),
    [
      ["Deployment", "web", 2, "kind", "info"],
      ["Deployment", "api", 7, "kind", "info"],
      ["Service", "web", 12, "kind", "info"],
    ],
  );
});

test("analyze and render say what they passed over", async (t) => {
  const at = directory(t, { "a.yaml": REVIEWS, "b.yaml": KUBERNETES });
  for (const argv of [["analyze"], ["render", "--workload", "page", "--type", "cluster"]]) {
    const { code, stderr } = await runCli([...argv, "-f", at()]);
    assert.equal(code, 0);
    assert.match(stderr, /passed over 3 objects that are not the mesh's: 2 Deployment, 1 Service\n/);
  }
});

/** REVIEWS in other ways of writing. */
const SPELLINGS: readonly (readonly [how: string, name: string, text: string])[] = [
  ["with a byte order mark and CR LF", "mesh.yaml", `\u{feff}${REVIEWS.replaceAll("\n", "\r\n")}`],
  ["as a JSON list", "mesh.json", JSON.stringify(documents(REVIEWS))],
  ["as a List", "mesh.yml", `kind: List\nitems: ${JSON.stringify(documents(REVIEWS))}\n`],
  [
    "with anchors",
    "mesh.yaml",
    REVIEWS.replace("{ app: reviews } }", "&app { app: reviews } }").replace(
      "labels: { app: page }",
      "labels: &page { app: page }",
    ),
  ],
  [
    "among Kubernetes' objects and empty documents",
    "mesh.yaml",
    `---\n${KUBERNETES}---\n---\n${REVIEWS}---\n# end\n`,
  ],
];

function documents(text: string): readonly unknown[] {
  return parseAllDocuments(text).map((document) => document.toJS() as unknown);
}

for (const [how, name, text] of SPELLINGS) {
  test(`a mesh that is written ${how} renders the same, and is no difference`, async (t) => {
    const at = directory(t, { "plain.yaml": REVIEWS });
    const other = directory(t, { [name]: text });
    const render = ["render", "--workload", "default/page", "-o", "json"];
    const plain = await runCli([...render, "-f", at()]);
    const rendered = await runCli([...render, "-f", other()]);
    assert.equal(rendered.code, 0, rendered.stderr);
    assert.equal(rendered.stdout, plain.stdout);
    const diff = await runCli(["diff", "-f", other(), "--against", at(), "-o", "json"]);
    assert.equal(diff.code, 0, diff.stderr);
    const { objects, workloads } = JSON.parse(diff.stdout) as Record<string, Record<string, unknown>[]>;
    assert.deepEqual(
      objects?.map(({ kind, namespace, name, change, fields }) => [kind, namespace, name, change, fields]),
      [
        ["ServiceEntry", "default", "reviews", "unchanged", []],
        ["WorkloadEntry", "default", "page", "unchanged", []],
        ["WorkloadEntry", "default", "reviews-v1", "unchanged", []],
      ],
    );
    assert.deepEqual(workloads, []);
  });
}

for (const [what, text, code] of [
  ["a syntax error", "a: [\n", 65],
  ["an error of the schema", route("reviews").replace("[reviews]", "7"), 65],
  ["10 MB in one value", `a: ${"x".repeat(10_000_000)}\n`, 65],
] as const) {
  for (const command of [
    ["render", "--workload", "page"],
    ["diff", "--against"],
    ["explain", "--from", "page", "--to", "http://reviews/"],
  ]) {
    test(`${command[0]} refuses ${what} with its place and prints nothing`, async (t) => {
      const at = directory(t, { "a.yaml": REVIEWS, "bad.yaml": text });
      const argv = command[0] === "diff" ? [...command, at("a.yaml")] : command;
      const found = await runCli([...argv, "-f", at(), "-o", "json"]);
      assert.deepEqual([found.code, found.stdout], [code, ""]);
      assert.match(found.stderr, new RegExp(`^${at("bad.yaml")}(:\\d+)? `, "m"));
    });
  }
}

test("validate minds warnings with --strict alone", async (t) => {
  const at = directory(t, { "a.yaml": route("a", "  oddity: 1\n") });
  assert.equal((await runCli(["validate", "-f", at()])).code, 0);
  const strict = await runCli(["validate", "-f", at("a.yaml"), "--strict"]);
  assert.equal(strict.code, 65);
  assert.match(
    strict.stdout,
    new RegExp(`^PLACE .*\n${at("a.yaml")}:7 +warning +VirtualService default/a +spec.oddity`),
  );
});

test("validate takes standard input, and namespaces", async () => {
  const readStdin = async (): Promise<string> => route("a").replace("hosts: [a]", "hosts: 7");
  const { code, stdout } = await runCli(["validate", "-f", "-", "-n", "shop", "-o", "json"], { readStdin });
  const [item] = (JSON.parse(stdout) as { items: Record<string, unknown>[] }).items;
  assert.deepEqual([code, item?.["file"], item?.["namespace"]], [65, "-", "shop"]);
});

const unreadable: readonly (readonly [string, (at: (name?: string) => string) => string, RegExp])[] = [
  ["a file that is not there", (at) => at("none.yaml"), /read .*none\.yaml: ENOENT/],
  ["a directory without YAML", (at) => at("empty"), /empty has no YAML or JSON file/],
];
for (const [what, path, message] of unreadable) {
  for (const command of [["validate"], ["render", "--workload", "default/page"]]) {
    test(`${command[0]} refuses ${what} as a usage error`, async (t) => {
      const at = directory(t, { "notes.txt": "" });
      mkdirSync(at("empty"));
      const { code, stdout, stderr } = await runCli([...command, "-f", path(at)]);
      assert.deepEqual([code, stdout], [64, ""]);
      assert.match(stderr, message);
    });
  }
}

test("render prints what a workload gets as ProtoJSON, each list sorted by name", async (t) => {
  const at = directory(t, { "a.yaml": REVIEWS, "b.yaml": route("reviews") });
  const { code, stdout } = await runCli(["render", "-f", at(), "--workload", "default/page", "-o", "json"]);
  assert.equal(code, 0);
  const rendered = JSON.parse(stdout) as Record<string, Record<string, unknown>[]>;
  assert.deepEqual(Object.keys(rendered), ["listeners", "routes", "clusters", "endpoints"]);
  const names = (rendered["clusters"] ?? []).map(({ name }) => String(name));
  assert.deepEqual(names, names.toSorted());
  assert.ok(names.includes("outbound|9080||reviews.default.svc.cluster.local"), names.join());
  for (const cluster of rendered["clusters"] ?? []) {
    assert.equal(cluster["@type"], "type.googleapis.com/envoy.config.cluster.v3.Cluster");
  }
  const yaml = await runCli(["render", "-f", at(), "--workload", "page", "--type", "cluster", "-o", "yaml"]);
  assert.match(yaml.stdout, /^clusters:\n {2}- "@type": type\.googleapis\.com/);
  const table = await runCli(["render", "-f", at(), "--workload", "page.default", "--type", "cluster"]);
  assert.match(table.stdout, /reviews\.default\.svc\.cluster\.local +9080/);
});

test("render says which workloads there are when it is asked for another", async (t) => {
  const at = directory(t, { "a.yaml": REVIEWS });
  const { code, stderr } = await runCli(["render", "-f", at(), "--workload", "default/pgae"]);
  assert.deepEqual(
    [code, stderr],
    [1, "error: the files have no WorkloadEntry default/pgae\ntry: did you mean default/page?\n"],
  );
});

test("render refuses what does not validate, with its lines", async (t) => {
  const at = directory(t, { "a.yaml": REVIEWS, "b.yaml": route("reviews").replace("[reviews]", "7") });
  const { code, stdout, stderr } = await runCli(["render", "-f", at(), "--workload", "default/page"]);
  assert.deepEqual([code, stdout], [65, ""]);
  assert.match(stderr, new RegExp(`^${at("b.yaml")}:5 {2}spec\\.hosts `));
});

test("render takes a MeshConfig from a file", async (t) => {
  const at = directory(t, { "a.yaml": REVIEWS, "mesh.conf": "connectTimeout: 3s\n" });
  const argv = ["render", "-f", at(), "--workload", "default/page", "-o", "json"];
  const { stdout } = await runCli([...argv, "--mesh-config", at("mesh.conf")]);
  const { clusters } = JSON.parse(stdout) as { clusters: { connectTimeout?: string }[] };
  assert.ok(clusters.some(({ connectTimeout }) => connectTimeout === "3s"));
  const none = await runCli([...argv, "--mesh-config", at("none")]);
  assert.equal(none.code, 64);
});

test("validate, analyze, render and diff refuse what would be more than a server holds, all in the same words", async (t) => {
  const numbers = (length: number, text: (index: number) => string): string =>
    Array.from({ length }, (_, index) => text(index)).join(", ");
  const entries = Array.from(
    { length: 11 },
    (_, index) => `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: many-${index} }
spec:
  hosts: [${numbers(250, (host) => `h${host}.example.com`)}]
  ports: [${numbers(100, (port) => `{ number: ${8000 + port}, name: http-${port}, protocol: HTTP }`)}]
  resolution: DNS
`,
  );
  const at = directory(t, { "a.yaml": `${REVIEWS}${entries.join("")}`, "b.yaml": REVIEWS });
  const told = new Set<string>();
  for (const args of [
    ["validate", "-f", at("a.yaml")],
    ["analyze", "-f", at("a.yaml")],
    ["render", "--workload", "reviews-v1", "-f", at("a.yaml")],
    ["diff", "-f", at("a.yaml"), "--against", at("b.yaml")],
  ]) {
    const { code, stdout, stderr } = await runCli(args);
    assert.equal(code, 65, `${args[0]}: ${stderr}`);
    assert.equal(stdout, "");
    told.add(stderr);
  }
  assert.deepEqual(told.size, 1, [...told].join());
  assert.match(
    [...told].join(),
    /275,00\d clusters .*at most 100,000 .*ServiceEntry\/default\/many-\d+ adds most/,
  );
});
