import assert from "node:assert/strict";
import { test } from "node:test";
import { readCorpus } from "./corpus.ts";
import { failureOf } from "./engine/failure.ts";
import { TARGETS } from "./targets/all.ts";

for (const target of TARGETS) {
  test(`${target.name} stands every input of its corpus`, async () => {
    const inputs = readCorpus(target.name);
    assert.ok(inputs.length > 0, "the corpus is empty");
    for (const input of inputs) {
      const failure = await failureOf(target.run, input);
      assert.equal(failure, undefined, `${JSON.stringify(input.toString("base64"))}: ${failure?.told}`);
    }
  });
}
