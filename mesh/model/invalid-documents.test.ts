import assert from "node:assert/strict";
import { test } from "node:test";
import { BREAKS, broken } from "../../test/harness/broken-documents.ts";
import { Random } from "../../test/harness/random.ts";
import { formatPath } from "./finding.ts";
import { KINDS } from "./kinds.ts";
import { parseObject } from "./parse-object.ts";

test("there are breaks for every kind, and far more than are tried", () => {
  const kinds = new Set(BREAKS.map(({ document }) => document["kind"]));
  assert.deepEqual(kinds, new Set(Object.keys(KINDS)));
  assert.ok(BREAKS.length > 1500, String(BREAKS.length));
});

test("1,000 documents that are broken at one place are refused, with that place", () => {
  const random = new Random(20_260_822);
  const accepted: string[] = [];
  for (let count = 0; count < 1000; count += 1) {
    const one = random.pick(BREAKS);
    const { document, path, value } = one;
    const what = `${String(document["kind"])} ${formatPath(path)} = ${JSON.stringify(value)}`;
    const { object, violations } = parseObject(broken(one), {
      defaultNamespace: "default",
    });
    if (object !== undefined) accepted.push(what);
    const errors = violations.filter(({ severity }) => severity === "error");
    for (const { message } of errors) assert.ok(message.length > 0 && message.length < 400, what);
    assert.ok(
      errors.some((error) => error.path === formatPath(path)),
      `${what}: ${JSON.stringify(errors)}`,
    );
  }
  assert.deepEqual(accepted, []);
});
