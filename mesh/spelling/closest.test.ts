import assert from "node:assert/strict";
import { test } from "node:test";
import { closest, didYouMean } from "./closest.ts";

const FIELDS = ["timeout", "retries", "exportTo", "withoutHeaders", "headers", "uri"];

const cases = [
  { name: "timout", want: "timeout" },
  { name: "Timeout", want: "timeout" },
  { name: "export_to", want: "exportTo" },
  { name: "with-out-headers", want: "withoutHeaders" },
  { name: "header", want: "headers" },
  { name: "url", want: "uri" },
  { name: "fnord", want: undefined },
  { name: "", want: undefined },
  { name: "x".repeat(100_000), want: undefined },
];

for (const { name, want } of cases) {
  test(`${JSON.stringify(name.slice(0, 20))} is ${want === undefined ? "like nothing" : `like ${want}`}`, () => {
    assert.equal(closest(name, FIELDS), want);
  });
}

test("a message ends with the suggestion, or with nothing", () => {
  assert.equal(didYouMean("timout", FIELDS), " (did you mean `timeout`?)");
  assert.equal(didYouMean("fnord", FIELDS), "");
});
