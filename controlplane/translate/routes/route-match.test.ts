import assert from "node:assert/strict";
import { test } from "node:test";
import { parsedMatch } from "../../../test/harness/http-route-specs.ts";
import { claimPath } from "./jwt-claims.ts";
import { routeMatch } from "./route-match.ts";

const names: readonly (readonly [header: string, path: readonly string[] | undefined])[] = [
  ["@request.auth.claims.admin", ["admin"]],
  ["@request.auth.claims.group.id", ["group", "id"]],
  ["@request.auth.claims[group][id]", ["group", "id"]],
  ["@request.auth.claims[a.b]", ["a.b"]],
  ["@Request.Auth.Claims.Admin", ["Admin"]],
  ["@request.auth.claims", undefined],
  ["@request.auth.claims.", undefined],
  ["@request.auth.claims[]", undefined],
  ["x-request.auth.claims.a", undefined],
];
for (const [header, path] of names) {
  test(`a match of ${header} asks about ${path ? `the claim ${path.join(" > ")}` : "a header"}`, () => {
    assert.deepEqual(claimPath(header), path);
  });
}

test("claims are asked of what the JWT filter left, as a text or in a list, and never of headers", () => {
  const match = routeMatch(
    parsedMatch({
      headers: { "@request.auth.claims.group": { kind: "exact", value: "a" }, other: { kind: "present" } },
      withoutHeaders: { "@request.auth.claims[guest]": { kind: "present" } },
    }),
  );
  assert.deepEqual(
    match.headers.map(({ name }) => name),
    ["other"],
  );
  const [group, guest] = match.dynamicMetadata;
  assert.ok(group && guest);
  assert.equal(group.filter, "envoy.filters.http.jwt_authn");
  assert.deepEqual(
    group.path.map(({ key }) => key),
    ["payload", "group"],
  );
  const [list, text] = group.value?.orMatch?.valueMatchers ?? [];
  assert.equal(list?.listMatch?.oneOf?.stringMatch?.exact, "a");
  assert.equal(text?.stringMatch?.exact, "a");
  assert.deepEqual([group.invert, guest.invert], [false, true]);
  assert.equal(guest.value?.orMatch?.valueMatchers[1]?.presentMatch, true);
});

test("the regular expression * means presence, as Istio once had it", () => {
  const star = { kind: "regex", value: "*" } as const;
  const match = routeMatch(
    parsedMatch({ uri: star, headers: { a: star }, withoutHeaders: { b: star }, queryParams: { c: star } }),
  );
  assert.equal(match.prefix, "/");
  const [a, b] = match.headers;
  assert.deepEqual([a?.presentMatch, a?.invertMatch], [true, false]);
  // Envoy refuses the two together.
  assert.deepEqual([b?.presentMatch, b?.invertMatch, b?.treatMissingHeaderAsEmpty], [true, true, false]);
  assert.equal(match.queryParameters[0]?.presentMatch, true);
});
