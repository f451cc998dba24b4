import assert from "node:assert/strict";
import { test } from "node:test";
import { hostCoverage } from "./host-coverage.ts";
import { hostMatches } from "./hosts.ts";

const HOSTS = [
  "*",
  "*.com",
  "*.example.com",
  "*example.com",
  "example.com",
  "a.example.com",
  "A.Example.com.",
  "*.a.example.com",
  "*a.example.com",
  "b.org",
  "*.org",
  "org",
  "10.0.0.1",
];

for (const list of [HOSTS.slice(1), HOSTS.slice(2, 8), HOSTS.slice(4, 6), HOSTS.slice(9), HOSTS]) {
  test(`covers what one of ${list.length} hosts matches, and says which`, () => {
    const { coverOf } = hostCoverage(list);
    for (const host of HOSTS) {
      const cover = coverOf(host);
      assert.equal(
        cover !== undefined,
        list.some((each) => hostMatches(each, host)),
        host,
      );
      if (cover !== undefined) assert.ok(hostMatches(list[cover] ?? "", host), host);
    }
  });
}

test("a host does not count as its own cover, its double does", () => {
  const { coverOf } = hostCoverage(["a.com", "*.org", "a.com", "*.org"]);
  assert.deepEqual(
    ["a.com", "*.org", "a.com", "*.org"].map((host, index) => coverOf(host, index)),
    [undefined, undefined, 0, 1],
  );
});
