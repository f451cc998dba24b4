import assert from "node:assert/strict";
import { test } from "node:test";
import { unsaidProtocol } from "./protocol.schema.ts";
import { isServerFirst } from "./protocols.ts";

for (const { number, want } of [
  { number: 80, want: "auto" },
  { number: 3307, want: "auto" },
  { number: 25, want: "tcp" },
  { number: 53, want: "tcp" },
  { number: 3306, want: "tcp" },
  { number: 27_017, want: "tcp" },
]) {
  test(`a port ${number} of which nobody says what it speaks is ${want}`, () => {
    assert.equal(unsaidProtocol(number), want);
  });
}

for (const { number, protocol, want } of [
  { number: 3306, protocol: "tcp", want: true },
  { number: 3306, protocol: "http", want: false },
  { number: 9000, protocol: "tcp", want: false },
  { number: 9000, protocol: "mysql", want: true },
  { number: 9000, protocol: "mongo", want: true },
  { number: 3306, protocol: "auto", want: false },
] as const) {
  test(`${protocol} at ${number} ${want ? "must not wait for" : "may be told by"} first bytes`, () => {
    assert.equal(isServerFirst({ number, protocol }), want);
  });
}
