import { after, before, describe, test } from "node:test";
import { skipWithout } from "../harness/tools.ts";
import { WIRE_SUITES } from "./suites.ts";
import { WIRE_DATA_PLANES, WireBench } from "./wire-bench.ts";
import type { Missing, WireCase } from "./wire-case.ts";

/** Far beyond what one needs: what hangs fails. */
const LIMIT = { timeout: 15_000 } as const;

for (const dataPlane of WIRE_DATA_PLANES) {
  const skip = dataPlane === "envoy" && skipWithout("envoy");
  describe(`on the wire, ${dataPlane}`, { skip }, () => {
    let bench: WireBench | undefined;
    const started = (): WireBench => {
      if (bench === undefined) throw new Error("the bench is not up");
      return bench;
    };
    before(async () => {
      bench = await WireBench.start(dataPlane);
    });
    after(async () => {
      await bench?.[Symbol.asyncDispose]();
    });
    for (const [suite, cases] of Object.entries(WIRE_SUITES)) {
      describe(suite, () => {
        for (const one of cases) define(one, dataPlane === "builtin" ? one.builtin : undefined, started);
      });
    }
  });
}

function define(one: WireCase, missing: Missing | undefined, bench: () => WireBench): void {
  if (missing === undefined) {
    test(one.name, LIMIT, async () => await bench().run(one));
  } else if ("refuses" in missing) {
    test(`not yet, and refused by name: ${one.name}`, LIMIT, async () => {
      await bench().refuses(one, missing.refuses);
    });
  } else {
    test(one.name, { skip: `not yet: ${missing.lacks}` });
  }
}

test("what the built-in proxy does not do yet", (t) => {
  const all = Object.values(WIRE_SUITES).flat();
  const missing = all.filter(({ builtin }) => builtin !== undefined);
  t.diagnostic(`the built-in proxy does ${all.length - missing.length} of ${all.length} cases; not yet:`);
  for (const { name, builtin } of missing) t.diagnostic(`- ${name}: ${Object.values(builtin ?? {}).join()}`);
});
