import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldPath } from "../../mesh/model/finding.ts";
import { Random } from "../../test/harness/random.ts";
import { VALID_OBJECTS } from "../../test/harness/valid-objects.ts";
import { analyzeFiles } from "../offline/analyze-files.ts";
import { readFiles } from "../offline/read-files.ts";

/** No field of any kind may be this. */
const WRONG = [[[7]]];

const SPECS = VALID_OBJECTS.filter((document) => pathsIn(document["spec"]).length > 0);

/** A copy with another value at a path. */
function withValue(value: unknown, [part, ...rest]: FieldPath, wrong: unknown): unknown {
  if (part === undefined) return wrong;
  if (Array.isArray(value))
    return value.map((item, index) => (index === part ? withValue(item, rest, wrong) : item));
  const fields = value as Readonly<Record<string, unknown>>;
  return { ...fields, [part]: withValue(fields[part], rest, wrong) };
}

function pathsIn(value: unknown, path: FieldPath = []): readonly FieldPath[] {
  const entries: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? [...value.entries()]
    : typeof value === "object" && value !== null
      ? Object.entries(value)
      : [];
  return entries.flatMap(([key, inside]) => [[...path, key], ...pathsIn(inside, [...path, key])]);
}

test("a mesh whose objects are wrong in any place is analyzed as far as it goes", () => {
  const random = new Random(20_261_130);
  let [broken, inPart] = [0, 0];
  for (let round = 0; round < 20; round += 1) {
    const documents = SPECS.map((document) => {
      const path = random.pick(pathsIn(document["spec"]));
      return { ...document, spec: withValue(document["spec"], path, WRONG) };
    });
    const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
    const { objects, partial, violations } = readFiles([{ name: "mesh.yaml", text }], {
      defaultNamespace: "default",
      partial: true,
    });
    broken += new Set(
      violations.filter(({ severity }) => severity === "error").map(({ document }) => document),
    ).size;
    inPart += partial.length;
    for (const { line } of analyzeFiles([...objects, ...partial], { mesh: undefined, now: 0 })) {
      assert.ok(line === undefined || line >= 1);
    }
  }
  assert.ok(inPart > broken / 2, `${inPart} of ${broken} objects with errors are there in part`);
  assert.ok(inPart < broken, `${inPart} of ${broken}`);
});
