import assert from "node:assert/strict";
import { test } from "node:test";
import { type HttpRequest, httpRequest } from "./http-request.ts";
import { matchRoute, routeMatchText } from "./match-route.ts";
import { configOf, type Json, named, routeConfig } from "./testing/json-config.ts";

type Headers = Readonly<Record<string, string | readonly string[]>>;

interface Case {
  readonly match: Json;
  readonly path?: string;
  readonly query?: string;
  readonly method?: string;
  readonly headers?: Headers;
  /** True and false stand for 1 and 0. */
  readonly want: boolean | number;
}

const header = (rest: Json): Json => ({ prefix: "/", headers: [{ name: "x-a", ...rest }] });
const query = (rest: Json): Json => ({ prefix: "/", queryParameters: [{ name: "a", ...rest }] });
const fraction = (numerator: number, denominator: string): Json => ({
  prefix: "/",
  runtimeFraction: { defaultValue: { numerator, denominator } },
});

const cases: readonly Case[] = [
  { match: { prefix: "/api" }, path: "/api/v1", want: true },
  { match: { prefix: "/api" }, path: "/apis", want: true },
  { match: { prefix: "/api" }, path: "/API", want: false },
  { match: { prefix: "/api", caseSensitive: false }, path: "/API", want: true },
  { match: { path: "/api" }, path: "/api", query: "?a", want: true },
  { match: { path: "/api" }, path: "/api/", want: false },
  { match: { path: "/api", caseSensitive: false }, path: "/Api", want: true },
  { match: { pathSeparatedPrefix: "/api" }, path: "/api", want: true },
  { match: { pathSeparatedPrefix: "/api" }, path: "/api/v1", want: true },
  { match: { pathSeparatedPrefix: "/api" }, path: "/apis", want: false },
  { match: { pathSeparatedPrefix: "/api", caseSensitive: false }, path: "/API/x", want: true },
  { match: { safeRegex: { regex: "/[a-z]+" } }, path: "/api", query: "?a", want: true },
  { match: { safeRegex: { regex: "/[a-z]+" } }, path: "/api/v1", want: false },
  { match: { safeRegex: { regex: "/a|/api/b" } }, path: "/api/b", want: true },
  { match: { connectMatcher: {} }, method: "CONNECT", want: true },
  { match: { connectMatcher: {} }, want: false },
  { match: header({ stringMatch: { exact: "v" } }), headers: { "x-a": "v" }, want: true },
  { match: header({ stringMatch: { exact: "v" } }), headers: { "X-A": " v " }, want: true },
  { match: header({ stringMatch: { exact: "v" } }), headers: { "x-a": "V" }, want: false },
  { match: header({ stringMatch: { exact: "v", ignoreCase: true } }), headers: { "x-a": "V" }, want: true },
  { match: header({ stringMatch: { exact: "v" } }), want: false },
  { match: header({ stringMatch: { prefix: "v" } }), headers: { "x-a": "v1" }, want: true },
  { match: header({ stringMatch: { suffix: "1" } }), headers: { "x-a": "v1" }, want: true },
  {
    match: header({ stringMatch: { contains: "B", ignoreCase: true } }),
    headers: { "x-a": "abc" },
    want: true,
  },
  { match: header({ stringMatch: { safeRegex: { regex: "v.*" } } }), headers: { "x-a": "v1" }, want: true },
  { match: header({ stringMatch: { safeRegex: { regex: "v" } } }), headers: { "x-a": "v1" }, want: false },
  { match: header({ exactMatch: "v" }), headers: { "x-a": "v" }, want: true },
  { match: header({ prefixMatch: "v" }), headers: { "x-a": "v1" }, want: true },
  { match: header({ suffixMatch: "1" }), headers: { "x-a": "v1" }, want: true },
  { match: header({ containsMatch: "b" }), headers: { "x-a": "abc" }, want: true },
  { match: header({ safeRegexMatch: { regex: "v[0-9]" } }), headers: { "x-a": "v1" }, want: true },
  { match: header({ rangeMatch: { start: "1", end: "10" } }), headers: { "x-a": "9" }, want: true },
  { match: header({ rangeMatch: { start: "1", end: "10" } }), headers: { "x-a": "10" }, want: false },
  { match: header({ rangeMatch: { start: "-5", end: "0" } }), headers: { "x-a": "-5" }, want: true },
  { match: header({ rangeMatch: { start: "1", end: "10" } }), headers: { "x-a": "9x" }, want: false },
  { match: header({ presentMatch: true }), headers: { "x-a": "" }, want: true },
  { match: header({ presentMatch: true }), want: false },
  { match: header({ presentMatch: false }), want: true },
  { match: header({ presentMatch: true, invertMatch: true }), want: true },
  { match: header({}), headers: { "x-a": "any" }, want: true },
  { match: header({ stringMatch: { exact: "v" }, invertMatch: true }), headers: { "x-a": "w" }, want: true },
  { match: header({ stringMatch: { exact: "v" }, invertMatch: true }), want: false },
  {
    match: header({ stringMatch: { exact: "v" }, invertMatch: true, treatMissingHeaderAsEmpty: true }),
    want: true,
  },
  { match: header({ stringMatch: { exact: "" }, treatMissingHeaderAsEmpty: true }), want: true },
  { match: header({ stringMatch: { exact: "w" } }), headers: { "x-a": ["v", "w"] }, want: true },
  { match: header({ stringMatch: { exact: "v,w" } }), headers: { "x-a": ["v", "w"] }, want: false },
  {
    match: header({ stringMatch: { exact: "v" }, invertMatch: true }),
    headers: { "x-a": ["v", "w"] },
    want: false,
  },
  {
    match: { prefix: "/", headers: [{ name: ":method", stringMatch: { exact: "PUT" } }] },
    method: "PUT",
    want: true,
  },
  { match: { prefix: "/", headers: [{ name: "Host", stringMatch: { exact: "a.test" } }] }, want: true },
  {
    match: { prefix: "/", headers: [{ name: ":path", stringMatch: { suffix: "?q" } }] },
    query: "?q",
    want: true,
  },
  { match: query({ stringMatch: { exact: "1" } }), query: "?b=2&a=1", want: true },
  { match: query({ stringMatch: { exact: "2" } }), query: "?a=1&a=2", want: false },
  { match: query({ stringMatch: { exact: "1" } }), query: "?a=%31", want: false },
  { match: query({ stringMatch: { safeRegex: { regex: "[0-9]+" } } }), query: "?a=12", want: true },
  { match: query({ stringMatch: { exact: "" } }), query: "?a", want: true },
  { match: query({ presentMatch: true }), query: "?a", want: true },
  { match: query({ presentMatch: true }), query: "?aa", want: false },
  { match: query({ presentMatch: false }), want: true },
  { match: query({}), query: "?a=1", want: true },
  { match: { prefix: "/", grpc: {} }, headers: { "content-type": "application/grpc+proto" }, want: true },
  { match: { prefix: "/", grpc: {} }, headers: { "content-type": "application/grpc-web" }, want: false },
  { match: fraction(30, "HUNDRED"), want: 0.3 },
  { match: fraction(1, "TEN_THOUSAND"), want: 0.0001 },
  { match: fraction(500_000, "MILLION"), want: 0.5 },
  { match: fraction(0, "HUNDRED"), want: false },
  { match: fraction(200, "HUNDRED"), want: true },
];

function requestOf({ path = "/", query = "", method = "GET", headers = {} }: Case): HttpRequest {
  const sent = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, value]),
  );
  return httpRequest({ method, scheme: "http", authority: "a.test", path, query, headers: sent });
}

for (const one of cases) {
  const { match, want, ...given } = one;
  test(`${JSON.stringify(match)} and ${JSON.stringify(given)}: ${want}`, () => {
    const [configuration] = configOf({ routes: [routeConfig("r", [named("r", match)])] }).routes.values();
    const parsed = configuration?.virtualHosts[0]?.routes[0]?.match;
    assert.ok(parsed);
    assert.equal(matchRoute(parsed, requestOf(one)), Number(want));
    assert.notEqual(routeMatchText(parsed), "", "a match can be told in words");
  });
}
