import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGrpcTimeout } from "./grpc-timeout.ts";

const cases: readonly (readonly [value: string | undefined, milliseconds: number | undefined])[] = [
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["3S", 3000],
  ["250m", 250],
  ["1500u", 2],
  ["1n", 1],
  ["0m", 0],
  ["99999999H", 359_999_996_400_000],
  ["100000000m", undefined],
  ["1s", undefined],
  ["-1S", undefined],
  ["1 S", undefined],
  ["S", undefined],
  ["", undefined],
  [undefined, undefined],
];

for (const [value, milliseconds] of cases) {
  test(`grpc-timeout ${value} is ${milliseconds} ms`, () => {
    assert.equal(parseGrpcTimeout(value), milliseconds);
  });
}
