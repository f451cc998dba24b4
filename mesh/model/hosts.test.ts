import assert from "node:assert/strict";
import { test } from "node:test";
import { bySpecificity, hostMatches, mostSpecificMatch, resolveHost } from "./hosts.ts";

const KNOWN = new Set(["reviews.shop.svc.cluster.local", "ratings.default.svc.cluster.local"]);

const resolutions = [
  { host: "reviews", want: "reviews.shop.svc.cluster.local" },
  { host: "Reviews", want: "reviews.shop.svc.cluster.local" },
  { host: "reviews.shop", want: "reviews.shop.svc.cluster.local" },
  { host: "reviews.unknown", want: "reviews.unknown" },
  { host: "reviews.other.svc", want: "reviews.other.svc.cluster.local" },
  { host: "reviews.other.svc.cluster.local", want: "reviews.other.svc.cluster.local" },
  { host: "reviews.other.svc.cluster.local.", want: "reviews.other.svc.cluster.local" },
  { host: "reviews.other.mesh", want: "reviews.other.svc.cluster.local" },
  { host: "reviews.mesh", want: "reviews.default.svc.cluster.local" },
  { host: "*.other.mesh", want: "*.other.svc.cluster.local" },
  { host: "reviews.service.consul", want: "reviews.shop.svc.cluster.local" },
  { host: "ratings.service.consul", want: "ratings.default.svc.cluster.local" },
  { host: "details.service.consul", want: "details.default.svc.cluster.local" },
  { host: "reviews.query.consul", want: "reviews.query.consul" },
  { host: "reviews.service.dc2.consul", want: "reviews.service.dc2.consul" },
  { host: "api.example.com", want: "api.example.com" },
  { host: "example.com", want: "example.com" },
  { host: "*.example.com", want: "*.example.com" },
  { host: "*", want: "*" },
  { host: "", want: "" },
  { host: "10.0.0.1", want: "10.0.0.1" },
  { host: "fd00::1", want: "fd00::1" },
];

for (const { host, want } of resolutions) {
  test(`in namespace shop ${JSON.stringify(host)} means ${JSON.stringify(want)}`, () => {
    assert.equal(
      resolveHost(host, "shop", "cluster.local", (name) => KNOWN.has(name)),
      want,
    );
  });
}

test("without a predicate a name with a dot is taken as it stands", () => {
  assert.equal(resolveHost("reviews.shop", "shop", "cluster.local"), "reviews.shop");
});

test("the domain suffix may be another one", () => {
  assert.equal(resolveHost("reviews.mesh", "shop", "corp.example"), "reviews.default.svc.corp.example");
});

const matches = [
  { pattern: "*", host: "a.example.com", want: true },
  { pattern: "a.example.com", host: "A.example.com.", want: true },
  { pattern: "a.example.com", host: "b.example.com", want: false },
  { pattern: "*.example.com", host: "a.example.com", want: true },
  { pattern: "*.example.com", host: "a.b.example.com", want: true },
  { pattern: "*.example.com", host: "example.com", want: false },
  { pattern: "*.example.com", host: ".example.com", want: false },
  { pattern: "*.example.com", host: "aexample.com", want: false },
  { pattern: "*.example.com", host: "*.b.example.com", want: true },
  { pattern: "*.example.com", host: "*.example.com", want: true },
  { pattern: "*.b.example.com", host: "*.example.com", want: false },
  { pattern: "a.example.com", host: "*.example.com", want: false },
  { pattern: "*-bar.example.com", host: "foo-bar.example.com", want: true },
];

for (const { pattern, host, want } of matches) {
  test(`${pattern} ${want ? "covers" : "does not cover"} ${host}`, () => {
    assert.equal(hostMatches(pattern, host), want);
  });
}

test("names come before wildcards and longer wildcards before shorter ones", () => {
  const sorted = ["*", "*.com", "b.com", "*.example.com", "a.example.com"].sort(bySpecificity);
  assert.deepEqual(sorted, ["a.example.com", "b.com", "*.example.com", "*.com", "*"]);
});

test("the most specific pattern wins, wherever it stands", () => {
  const patterns = ["*", "*.example.com", "a.example.com", "*.a.example.com"];
  assert.equal(mostSpecificMatch(patterns, "a.example.com"), "a.example.com");
  assert.equal(mostSpecificMatch(patterns, "b.example.com"), "*.example.com");
  assert.equal(mostSpecificMatch(patterns, "b.a.example.com"), "*.a.example.com");
  assert.equal(mostSpecificMatch(patterns, "example.org"), "*");
  assert.equal(mostSpecificMatch(["b.com"], "a.com"), undefined);
});
