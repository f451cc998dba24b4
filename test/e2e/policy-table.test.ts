import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ACTION_CASES, TCP_CASES } from "../harness/policy-table/actions.ts";
import { CONDITION_CASES, OPERATION_CASES } from "../harness/policy-table/operations.ts";
import { ESCAPE_CASES, PATH_CASES } from "../harness/policy-table/paths.ts";
import { Places } from "../harness/policy-table/places.ts";
import { SOURCE_CASES } from "../harness/policy-table/sources.ts";
import { TOKEN_CASES } from "../harness/policy-table/tokens.ts";
import { TRICK_CASES } from "../harness/policy-table/tricks.ts";
import { skipWithout } from "../harness/tools.ts";

/**
 * What policies mean, in three places that are given the same resources: the simulator, the built-in proxy and a real
 * Envoy. Each row of each case is asked in all of them, and each has to give the one answer that the row names.
 */
const CASES = [
  ...SOURCE_CASES,
  ...OPERATION_CASES,
  ...CONDITION_CASES,
  ...PATH_CASES,
  ...ESCAPE_CASES,
  ...ACTION_CASES,
  ...TCP_CASES,
  ...TOKEN_CASES,
  ...TRICK_CASES,
];

const missing = skipWithout("envoy");
let places: Places | undefined;

before(async () => {
  places = await Places.start(CASES, { envoy: missing === false });
});

after(async () => {
  await places?.[Symbol.asyncDispose]();
});

for (const policies of CASES) {
  test(`${policies.name} (${policies.rows.length} calls)`, async () => {
    const differences: string[] = [];
    for (const [ask, usual, except = {}] of policies.rows) {
      for (const place of places?.all ?? []) {
        const want = except[place.name] ?? usual;
        const answer = await place.ask(policies, ask);
        if (answer !== want)
          differences.push(`${place.name}: ${answer}, not ${want}, for ${JSON.stringify(ask)}`);
      }
    }
    assert.deepEqual(differences, []);
  });
}

test("the table was asked in Envoy too", { skip: missing }, () => {
  assert.deepEqual(
    places?.all.map(({ name }) => name),
    ["simulator", "built-in proxy", "Envoy"],
  );
});
