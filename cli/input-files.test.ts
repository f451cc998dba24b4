import assert from "node:assert/strict";
import { once } from "node:events";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runCli } from "../test/harness/run-cli.ts";

const ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec:
  hosts: [a.example.com]
  http: [{ route: [{ destination: { host: a.example.com } }] }]
`;
const ODD = `${ROUTE}  odd: 1\n`;

interface Item {
  readonly kind: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly path: string;
  readonly message: string;
  readonly severity: string;
}

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "lateen-input-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function validate(...paths: readonly string[]): Promise<{ code: number; items: readonly Item[] }> {
  const { code, stdout } = await runCli(["validate", "-o", "json", "-f", ...paths]);
  return { code, items: (JSON.parse(stdout) as { items: readonly Item[] }).items };
}

/** What is in the file, the exit code, and `line path severity` of each violation. */
const contents: readonly (readonly [
  what: string,
  text: string | Buffer,
  code: number,
  want: readonly string[],
])[] = [
  ["nothing", "", 0, []],
  ["nothing but comments", "# a\n---\n# b\n", 0, []],
  ["empty documents around one", `---\n---\n${ODD}---\n...\n`, 0, ["9 spec.odd warning"]],
  ["a byte order mark", `\u{feff}${ODD}`, 0, ["7 spec.odd warning"]],
  ["lines that end in CR LF", ODD.replaceAll("\n", "\r\n"), 0, ["7 spec.odd warning"]],
  ["tabs for indentation", ROUTE.replace("  hosts", "\thosts"), 65, ["5  error", "6  error"]],
  ["an anchor", ODD.replace("[a.ex", "&h [a.ex").replace("odd: 1", "odd: *h"), 0, ["7 spec.odd warning"]],
  ["a merge key", `<<: { odd: 1 }\n${ROUTE}`, 65, ['1 ["<<"] error']],
  ["a key twice", `${ROUTE}  hosts: [b]\n`, 65, ["7 spec.hosts error"]],
  ["a tag of a programming language", `${ROUTE}  odd: !!js/function x\n`, 65, ["7  error"]],
  ["a text", "just words\n", 65, ["1  error"]],
  ["JSON that ends too early", `{ "kind": "VirtualService", `, 65, ["1  error"]],
  [
    "a List of ours, theirs and neither",
    `kind: List\nitems:\n  - ${ODD.replaceAll("\n", "\n    ")}\n  - { apiVersion: v1, kind: Pod }\n  - 7\n`,
    65,
    ["9 spec.odd warning", "11 kind info", "12  error"],
  ],
  [
    "a JSON list of one kind",
    `{ "kind": "VirtualServiceList", "items": [\n{ "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",\n"metadata": { "name": "a" }, "spec": { "hosts": [], "http":\n7 } }] }`,
    65,
    ["3 spec.http error"],
  ],
  ["a key that is no key", `{ "__proto__": { "kind": "x" }, "kind": "Pod" }`, 65, ["1 __proto__ error"]],
  ["10 MB in one value", ROUTE.replace("name: a", `name: ${"a".repeat(10_000_000)}`), 65, ["0  error"]],
];

for (const [what, text, code, want] of contents) {
  test(`a file with ${what}`, async (t) => {
    const path = join(directory(t), "a.yaml");
    writeFileSync(path, text);
    const found = await validate(path);
    assert.deepEqual(
      [found.code, ...found.items.map(({ line, path: at, severity }) => `${line} ${at} ${severity}`)],
      [code, ...want],
    );
    for (const { file, message } of found.items) assert.ok(file === path && message !== "");
  });
}

test("a file of a thousand objects is read, and of a thousand and one refused", async (t) => {
  const at = directory(t);
  const objects = Array.from({ length: 1001 }, (_, index) =>
    ROUTE.replace("name: a", `name: a${index}`).replace("hosts: [a", `hosts: [a${index}`),
  );
  writeFileSync(join(at, "1000.yaml"), objects.slice(1).join("---\n"));
  assert.deepEqual(await validate(join(at, "1000.yaml")), { code: 0, items: [] });
  writeFileSync(join(at, "1001.yaml"), objects.join("---\n"));
  const { code, items } = await validate(join(at, "1001.yaml"));
  assert.deepEqual([code, items.map(({ message }) => message)], [65, ["has more than 1000 documents"]]);
});

test("a file under many names is read once, under the first", async (t) => {
  const at = directory(t);
  const path = join(at, "a.yaml");
  writeFileSync(path, ODD);
  symlinkSync("a.yaml", join(at, "b.yaml"));
  linkSync(path, join(at, "c.yaml"));
  for (const paths of [[path, path], [at], [path, at, join(at, "b.yaml")], [`${at}/./a.yaml`, at]]) {
    const { code, items } = await validate(...paths);
    assert.deepEqual([code, items.map(({ line }) => line)], [0, [7]], paths.join(" "));
    assert.equal(items[0]?.file, paths[0] === at ? path : paths[0]);
  }
});

test("of a directory only files count: no hidden one, no directory, no loop of links, no socket", async (t) => {
  const at = directory(t);
  writeFileSync(join(at, "a.yaml"), ODD);
  writeFileSync(join(at, ".b.yaml"), "a: [");
  symlinkSync("nobody@host.1:2", join(at, ".#a.yaml"));
  mkdirSync(join(at, "c.yaml"));
  symlinkSync(".", join(at, "d.yaml"));
  const socket = createServer().listen(join(at, "e.yaml"));
  t.after(() => socket.close());
  await once(socket, "listening");
  const { code, items } = await validate(at);
  assert.deepEqual([code, items.map(({ file }) => file)], [0, [join(at, "a.yaml")]]);
});

test("-R looks into the directories of a directory, but not into hidden ones and through links", async (t) => {
  const at = directory(t);
  mkdirSync(join(at, "team", "prod.yaml"), { recursive: true });
  mkdirSync(join(at, ".git"));
  symlinkSync("..", join(at, "team", "up"));
  for (const name of ["team/b.yaml", "team/prod.yaml/c.yml", ".git/d.yaml"])
    writeFileSync(join(at, name), ODD.replace("name: a", `name: a${name.length}`));
  assert.deepEqual(await runCli(["validate", "-f", at]), {
    code: 64,
    stdout: "",
    stderr: `error: ${at} has no YAML or JSON file\ntry: -R looks into the directories of ${at} too\n`,
  });
  const { code, items } = await validate(at, "-R");
  assert.deepEqual(
    [code, items.map(({ file }) => file)],
    [0, [join(at, "team", "b.yaml"), join(at, "team", "prod.yaml", "c.yml")]],
  );
});

test("a link that leads nowhere, or to itself, is a usage error that names it", async (t) => {
  const at = directory(t);
  symlinkSync("none.yaml", join(at, "a.yaml"));
  symlinkSync("b.yaml", join(at, "b.yaml"));
  for (const [path, reason] of [
    [join(at, "a.yaml"), /a\.yaml: ENOENT/],
    [join(at, "b.yaml"), /b\.yaml: ELOOP/],
    [at, /[ab]\.yaml: E(NOENT|LOOP)/],
  ] as const) {
    const { code, stderr } = await runCli(["validate", "-f", path]);
    assert.equal(code, 64);
    assert.match(stderr, reason);
  }
});

test("what is not UTF-8 is refused by its name", async (t) => {
  const path = join(directory(t), "a.yaml");
  for (const encoding of ["utf16le", "latin1"] as const) {
    writeFileSync(path, Buffer.from(`# café\n${ROUTE}`, encoding));
    assert.deepEqual(await runCli(["validate", "-f", path]), {
      code: 65,
      stdout: "",
      stderr: `error: read ${path}: it is not UTF-8 text\ntry: save it as UTF-8\n`,
    });
  }
});

test("an input without an end is refused after its first mebibyte", async () => {
  const { code, items } = await validate("/dev/zero");
  assert.deepEqual([code, items.map(({ message }) => message)], [65, ["is larger than 1024 KiB"]]);
});
