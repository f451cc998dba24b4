import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kind, SpecOfKind } from "../../mesh/model/object.ts";
import { parseObject } from "../../mesh/model/parse-object.ts";

/** Path of a violation, and a part of its message. */
type Expected = readonly [path: string, message: string];

export interface GoodCase<K extends Kind> {
  readonly name: string;
  readonly spec: unknown;
  /** Fields of the parsed spec; those that are left out are not compared. */
  readonly want?: Partial<SpecOfKind[K]>;
  readonly warnings?: readonly Expected[];
}

export interface BadCase {
  readonly name: string;
  readonly spec: unknown;
  /** All errors, in any order. */
  readonly errors: readonly Expected[];
}

/** Declares one test for each document: the good ones parse into what is wanted, the bad ones tell all their errors. */
export function testKind<K extends Kind>(
  kind: K,
  apiVersion: string,
  { good, bad }: { readonly good: readonly GoodCase<K>[]; readonly bad: readonly BadCase[] },
): void {
  const parse = (spec: unknown): ReturnType<typeof parseObject> =>
    parseObject({ apiVersion, kind, metadata: { name: "case" }, spec }, { defaultNamespace: "default" });

  for (const { name, spec, want = {}, warnings = [] } of good) {
    test(`${kind}: ${name}`, () => {
      const { object, violations } = parse(spec);
      compare(violations, "error", []);
      compare(violations, "warning", warnings);
      assert.ok(object);
      const parsed: Readonly<Record<string, unknown>> = { ...object.spec };
      for (const [field, value] of Object.entries(want)) assert.deepEqual(parsed[field], value, field);
    });
  }
  for (const { name, spec, errors } of bad) {
    test(`${kind} is refused: ${name}`, () => {
      const { object, violations } = parse(spec);
      compare(violations, "error", errors);
      assert.equal(object, undefined);
    });
  }
}

function compare(
  violations: ReturnType<typeof parseObject>["violations"],
  severity: "error" | "warning",
  expected: readonly Expected[],
): void {
  const told = violations.filter((violation) => violation.severity === severity);
  assert.deepEqual(
    told.map(({ path }) => path).sort(),
    expected.map(([path]) => path).sort(),
    JSON.stringify(told),
  );
  for (const [path, message] of expected) {
    const found = told.some((each) => each.path === path && each.message.includes(message));
    assert.ok(found, `${path}: ${message}\nin ${JSON.stringify(told, undefined, 1)}`);
  }
}
