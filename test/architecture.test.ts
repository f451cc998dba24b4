import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

/** Each folder and what it may import beside itself and packages (DESIGN §1). */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  mesh: [],
  controlplane: ["mesh"],
  agent: ["mesh"],
  proxy: ["mesh"],
  cli: ["mesh", "controlplane", "agent", "proxy", "setup"],
  examples: [],
  packaging: ["cli", "setup"],
  setup: [],
  bench: ["mesh", "controlplane", "agent", "proxy", "test", "setup"],
  fuzz: ["mesh", "agent", "proxy", "test"],
  test: ["mesh", "controlplane", "agent", "proxy", "cli", "setup", "examples"],
};

/** Inside mesh/ the words come first: the model knows no xDS. */
const MESH_ARROWS: Readonly<Record<string, readonly string[]>> = {
  "mesh/model": ["mesh/errors.ts", "mesh/cel", "mesh/jwt", "mesh/spelling"],
  "mesh/cel": ["mesh/model/regex.ts"],
  "mesh/jwt": [],
  "mesh/identity": ["mesh/errors.ts", "mesh/model"],
  "mesh/spelling": [],
  "mesh/lifecycle": ["mesh/errors.ts"],
  "mesh/telemetry": [],
};

/** The only files of each program that `cli` may import: it starts programs, it does not reach into them. */
const DOORS =
  /^(controlplane|agent|proxy)\/(app|config)\.ts$|^controlplane\/offline\.ts$|^agent\/(offline|identity\/(join|invitation)|host\/notify)\.ts$/;

const FORGE_HOMES = ["mesh/identity/", "controlplane/ca/"];
const DRAWERS = /(^|\/)(utils?|helpers?|common|misc|shared)(\/|\.ts$)/;

const files = globSync(
  "{mesh,controlplane,agent,proxy,cli,examples,test,setup,bench,fuzz,packaging}/**/*.ts",
  {
    exclude: (path) => path.includes("xds/gen"),
  },
).sort();
const texts = new Map(files.map((file) => [file, readFileSync(file, "utf8")]));

const isTest = (file: string): boolean =>
  /\.(test|contract)\.ts$|\/testing\//.test(file) || file.startsWith("test/") || file.startsWith("bench/");
const top = (file: string): string => file.split("/", 1)[0] ?? "";

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): readonly Import[] {
  const text = texts.get(file) ?? "";
  return [
    ...text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from "(\.[^"]+)";|^import "(\.[^"]+)";/gms),
  ].map((match) => ({
    from: normalize(join(dirname(file), match[2] ?? match[3] ?? "")),
    typeOnly: match[1] !== undefined,
  }));
}

test("the sources are found", () => {
  assert.ok(files.length > 30, `only ${files.length} files: is the glob right?`);
});

for (const file of files) {
  test(`${file} keeps the arrows, the ceiling and the names`, () => {
    const text = texts.get(file) ?? "";
    for (const { from } of importsOf(file)) {
      const allowed = [top(file), ...(isTest(file) ? ["test", "setup"] : (MAY_IMPORT[top(file)] ?? []))];
      if (isTest(file)) allowed.push(...(MAY_IMPORT[top(file)] ?? []));
      assert.ok(
        allowed.includes(top(from)),
        `${file} imports ${from}: ${top(file)} may import ${allowed.join(", ")}`,
      );
      if (
        top(file) === "cli" &&
        top(from) !== "cli" &&
        !isTest(file) &&
        /^(controlplane|agent|proxy)\//.test(from)
      ) {
        assert.match(from, DOORS, `${file} reaches into ${from}: the CLI goes through app.ts`);
      }
      assertMeshArrows(file, from);
      assert.ok(!from.endsWith("/main.ts"), `${file} imports an entry point: ${from}`);
    }
    const lines = text.split("\n").length - 1;
    const ceiling = isTest(file) ? 600 : 400;
    assert.ok(lines <= ceiling, `${file} has ${lines} lines, the ceiling is ${ceiling}`);
    assert.doesNotMatch(file, DRAWERS, `${file}: name it for the one thing that is inside`);
    assertForge(file, text);
    if (top(file) !== "cli" && !isTest(file)) {
      assert.doesNotMatch(
        text,
        /[^.\w]import\((?!.*type)/,
        `${file} imports dynamically: only cli/ loads commands so`,
      );
    }
  });
}

function assertMeshArrows(file: string, from: string): void {
  if (isTest(file)) return;
  for (const [folder, allowed] of Object.entries(MESH_ARROWS)) {
    if (!file.startsWith(`${folder}/`)) continue;
    const fine = [folder, ...allowed].some((place) => from === place || from.startsWith(`${place}/`));
    assert.ok(fine, `${file} imports ${from}: ${folder} may import ${allowed.join(", ") || "nothing"}`);
  }
}

function assertForge(file: string, text: string): void {
  if (!/from "node-forge/.test(text)) return;
  assert.ok(
    FORGE_HOMES.some((home) => file.startsWith(home)) || isTest(file),
    `${file} imports node-forge, which lives in ${FORGE_HOMES.join(" and ")}`,
  );
  assert.doesNotMatch(
    text,
    /forge\.(pki|tls|rsa|cipher|md|random|hmac|jsbn|pkcs|x509|ssh|kem|util\.(?!create|binary|Byte))/,
    `${file} uses node-forge beyond its DER codec`,
  );
  assert.doesNotMatch(text, /\{[^}]*\b(pki|tls|rsa|ssh|cipher|md)\b[^}]*\} from "node-forge"/);
}

test("no import cycle", () => {
  const state = new Map<string, "open" | "done">();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      assert.fail(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
    }
    state.set(file, "open");
    path.push(file);
    for (const { from, typeOnly } of importsOf(file)) if (!typeOnly && texts.has(from)) visit(from);
    path.pop();
    state.set(file, "done");
  };
  for (const file of files) visit(file);
});
