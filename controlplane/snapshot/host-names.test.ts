import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPatterns, parseServiceHostname, patternsCovering, serviceHostname } from "./host-names.ts";

const settings = { domainSuffix: "cluster.local" };

const meanings: readonly (readonly [string, readonly string[]])[] = [
  ["reviews", ["reviews.prod.svc.cluster.local", "reviews"]],
  ["Reviews", ["reviews.prod.svc.cluster.local", "reviews"]],
  ["reviews.test", ["reviews.test", "reviews.test.svc.cluster.local"]],
  ["reviews.test.svc", ["reviews.test.svc.cluster.local"]],
  ["reviews.mesh", ["reviews.default.svc.cluster.local"]],
  ["reviews.test.mesh", ["reviews.test.svc.cluster.local"]],
  ["reviews.test.svc.cluster.local.", ["reviews.test.svc.cluster.local"]],
  ["reviews.service.consul", ["reviews.prod.svc.cluster.local", "reviews.default.svc.cluster.local"]],
  ["::1", ["::1"]],
  ["api.example.com", ["api.example.com"]],
  ["*.example.com", ["*.example.com"]],
  ["*", ["*"]],
];
for (const [host, want] of meanings) {
  test(`${host} in namespace prod means ${want.join(" or ")}`, () => {
    assert.deepEqual(hostPatterns(host, "prod", settings), want);
  });
}

test("patterns cover a host most specific first", () => {
  assert.deepEqual(patternsCovering("a.b.c"), ["a.b.c", "*.b.c", "*.c", "*"]);
  assert.deepEqual(patternsCovering("*.b.c"), ["*.b.c", "*.c", "*"]);
  assert.deepEqual(patternsCovering("*"), ["*"]);
  assert.deepEqual(patternsCovering("a-b.c"), ["a-b.c", "*-b.c", "*.c", "*"]);
});

test("a host name of the mesh tells its service and namespace", () => {
  assert.deepEqual(parseServiceHostname(serviceHostname("a.b", "ns", settings), settings), {
    name: "a.b",
    namespace: "ns",
  });
  for (const foreign of ["api.example.com", "ns.svc.cluster.local", ".ns.svc.cluster.local"]) {
    assert.equal(parseServiceHostname(foreign, settings), undefined);
  }
});
