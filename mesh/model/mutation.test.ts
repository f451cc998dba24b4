import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../test/harness/random.ts";
import { VALID_OBJECTS } from "../../test/harness/valid-objects.ts";
import { parseDocuments } from "./parse-documents.ts";
import { parseObject } from "./parse-object.ts";

const OPTIONS = { defaultNamespace: "default" };

const ODD_VALUES: readonly unknown[] = [
  null,
  undefined,
  "",
  " ",
  "*",
  "a".repeat(300),
  "\u0000",
  "💥",
  "__proto__",
  -1,
  0,
  0.5,
  2 ** 31,
  1e308,
  true,
  [],
  [[]],
  [null],
  {},
  { a: { b: 1 } },
  "1h",
  "(",
  "toString",
];

/** The value with one thing changed somewhere inside: replaced, removed, renamed or doubled. */
function mutate(value: unknown, random: Random): unknown {
  const replace = random.chance(0.15);
  if (replace || typeof value !== "object" || value === null)
    return ODD_VALUES[random.below(ODD_VALUES.length)];
  if (Array.isArray(value)) {
    const index = random.below(value.length);
    if (random.chance(0.1)) return [...value, ...value];
    return value.map((item: unknown, at) => (at === index ? mutate(item, random) : item));
  }
  const entries = Object.entries(value);
  const index = random.below(entries.length);
  const action = random.next();
  return Object.fromEntries(
    entries.flatMap(([key, item], at) => {
      if (at !== index) return [[key, item]];
      if (action < 0.1) return [];
      if (action < 0.2) return [[`${key}x`, item]];
      return [[key, mutate(item, random)]];
    }),
  );
}

test("the documents that are mutated are valid, and all that they say is in force", () => {
  for (const input of VALID_OBJECTS) {
    const { violations } = parseObject(input, OPTIONS);
    assert.deepEqual(violations, [], String(input["kind"]));
  }
});

test("1,000 mutations of valid documents crash nothing, and each violation has its place", () => {
  let refused = 0;
  for (let seed = 1; seed <= 1000; seed += 1) {
    const random = new Random(seed * 7919);
    const input = mutate(random.pick(VALID_OBJECTS), random);
    const { object: parsed, violations } = parseObject(input, OPTIONS);
    const errors = violations.filter(({ severity }) => severity === "error");
    const passedOver = violations.some(({ message }) => message.endsWith("passed over"));
    assert.equal(parsed === undefined, errors.length > 0 || passedOver, `seed ${seed}`);
    for (const { path, message } of violations) {
      assert.ok(message.length > 0 && message.length < 400, `seed ${seed}: ${message}`);
      assert.match(
        path,
        /^$|^(apiVersion|kind|metadata|spec|status|type|data|stringData|immutable)/,
        `seed ${seed}`,
      );
      const wholeObject = typeof input !== "object" || input === null || Array.isArray(input);
      assert.equal(path === "", wholeObject, `seed ${seed}: ${message}`);
    }
    if (parsed === undefined) refused += 1;
    else
      assert.deepEqual(
        parseObject(parsed.written, OPTIONS).object,
        parsed,
        `seed ${seed}: does not re-apply`,
      );
  }
  assert.ok(refused > 400 && refused < 1000, `${refused} refused`);
});

test("600 mutations of their text crash nothing, and each violation has its line", () => {
  const alphabet = "{}[]\",:-\n\t &*!|>%@`'#?aA0.~\\".split("");
  for (let seed = 1; seed <= 600; seed += 1) {
    const random = new Random(seed * 7919);
    const characters = JSON.stringify(random.pick(VALID_OBJECTS), undefined, 1).split("");
    for (let change = 0; change < 3; change += 1) {
      const at = random.below(characters.length);
      characters.splice(at, random.below(3), random.pick(alphabet));
    }
    const { objects, violations } = parseDocuments(characters.join(""), OPTIONS);
    assert.ok(objects.length <= 1, `seed ${seed}`);
    for (const { line } of violations) assert.ok(line > 0, `seed ${seed}`);
  }
});
