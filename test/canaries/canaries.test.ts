import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatAccessToken, generateAccessToken } from "../../controlplane/admin/access/access-token.ts";
import { LogBook } from "../harness/mesh-log.ts";
import { secretsIn } from "./secrets-in.ts";

const pem = (): string => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
};

const found: readonly { readonly text: string; readonly kind: RegExp }[] = [
  { text: `key: ${pem()}`, kind: /^private key at 5$/ },
  { text: JSON.stringify({ key: pem() }).replaceAll("\\n", "\n"), kind: /^private key/ },
  { text: formatAccessToken(generateAccessToken()), kind: /^access token at 0$/ },
  { text: `use lateen1.eyJhZGRyIjoieCJ9.${"A".repeat(43)}`, kind: /^join token at 4$/ },
  { text: `Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.${"s".repeat(40)}`, kind: /^JWT at 7$/ },
];

for (const { text, kind } of found) {
  test(`what is a ${kind.source} is found`, () => {
    const [first = "", ...others] = secretsIn(text);
    assert.match(first, kind);
    assert.equal(others.length, 0);
    assert.ok(!first.includes(text.slice(-20)));
  });
}

for (const text of [
  "lateen join lateen1.…",
  "lateen-access.<id>.<secret>",
  "-----BEGIN PRIVATE KEY-----",
  "[redacted]",
  "eyJ.eyJ.x",
]) {
  test(`${JSON.stringify(text)} is no secret`, () => assert.deepEqual(secretsIn(text), []));
}

/** The outcome of a run of one test file with the reporter; what is printed is made where it runs. */
function runWithReporter(print: string): { readonly code: number | null; readonly output: string } {
  const directory = mkdtempSync(join(tmpdir(), "lateen-canary-"));
  try {
    const file = join(directory, "planted.test.mjs");
    writeFileSync(file, `import { test } from "node:test";\ntest("passes", () => { ${print} });\n`);
    const reporter = join(import.meta.dirname, "canary-reporter.ts");
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout } = spawnSync(
      process.execPath,
      ["--test", `--test-reporter=${reporter}`, "--test-reporter-destination=stdout", file],
      { encoding: "utf8", env, timeout: 30_000 },
    );
    return { code: status, output: stdout };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("a run whose tests pass fails when one of them printed a secret, and does not print it again", () => {
  for (const stream of ["stdout", "stderr"]) {
    const leaked = runWithReporter(
      `process.${stream}.write("lateen-access." + "a".repeat(12) + "." + "S".repeat(43))`,
    );
    assert.equal(leaked.code, 1, leaked.output);
    assert.match(leaked.output, /canary: access token at \d+ of what .*planted\.test\.mjs printed/);
    assert.doesNotMatch(leaked.output, /SSSS/);
  }
  const clean = runWithReporter('process.stdout.write("nothing to see")');
  assert.deepEqual(clean, { code: 0, output: "" });
});

test("a line with a secret in a simulated host's log is printed, so that the run fails", (t) => {
  const printed: string[] = [];
  t.mock.method(process.stderr, "write", (text: string) => printed.push(text) > 0);
  const { logger } = new LogBook("host");
  logger.info("joined", { address: "10.0.0.1" });
  assert.deepEqual(printed, []);
  logger.child("agent").warn("join failed", { config: { key: pem() } });
  assert.equal(printed.length, 1);
  assert.equal(secretsIn(printed[0] ?? "").length, 1);
});
