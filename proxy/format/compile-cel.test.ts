import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCel } from "../../mesh/cel/parse-cel.ts";
import type { HttpRecord } from "../telemetry/records.ts";
import { compileCondition } from "./compile-cel.ts";

const record = {
  kind: "http",
  status: 404,
  method: "GET",
  target: "/a?b=c",
  calledAuthority: "shop",
} as HttpRecord;

for (const [expression, want] of [
  ["response.code >= 400", true],
  ["response.code == 404 && request.method == 'POST'", false],
  ["response.code < 400 || request.url_path.startsWith('/a')", true],
  ["!(response.code in [200, 404])", false],
  ['request.host == "shop" && request.query.contains("b=")', true],
  ["request.path.matches('^/[a-z]')", true],
  ["size(request.host) > 3", true],
  ["response.code_details == 'x' || true", true],
  ["response.code == '404'", false],
  ["response.code_details != 'x'", false],
] as const) {
  test(expression, () => {
    const parsed = parseCel(expression);
    assert.ok(!("problem" in parsed), JSON.stringify(parsed));
    assert.equal(compileCondition(parsed, assert.fail)(record, 0), want);
  });
}

for (const [expression, problem] of [
  ["response.code >=", "`the end` is not understood here"],
  ["a ? b : c", "`? b : c` is not understood"],
  ["request.headers.exists(h, true)", "the function `exists` is not known"],
  ["(response.code", "`the end` is not understood here"],
  [
    "request.path.matches('[')",
    "the pattern `[` is not a valid RE2 expression: error parsing regexp: missing closing ]: `[`",
  ],
  ["'a' + 'b'", "`+ 'b'` is not understood"],
] as const) {
  test(`not understood: ${expression}`, () => {
    assert.deepEqual(parseCel(expression), { problem });
  });
}
