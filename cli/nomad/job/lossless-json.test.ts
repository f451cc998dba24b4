import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson, printJson } from "./lossless-json.ts";

for (const text of [
  '{"JobModifyIndex":18446744073709551615,"TTL":3600000000000}',
  '{"a":[9007199254740993,-9007199254740993],"b":{"c":1.00000000000000000001}}',
  '{"MaxClientDisconnect":31536000000000001}',
]) {
  test(`${text} comes out as it went in`, () => {
    assert.equal(printJson(parseJson(text)), text);
  });
}

test("digits inside a text are a text", () => {
  assert.deepEqual(parseJson('{"a":"18446744073709551615"}'), { a: "18446744073709551615" });
});
