import { BlockList, isIP, isIPv6 } from "node:net";
import { RE2JS } from "re2js";
import type { Cidr, HeaderMatch, HeaderTest, QueryMatch, StringMatch } from "../model/match.ts";
import type { PathMatch } from "../model/route.ts";
import { headerOf, headerValuesOf, type RequestFacts } from "./facts.ts";

export type StringTest = (value: string) => boolean;

export function compileString(match: StringMatch): StringTest {
  if (match.kind === "regex") return compileRegex(match.value);
  const wanted = match.ignoreCase ? match.value.toLowerCase() : match.value;
  const test = plainTest(match.kind, wanted);
  return match.ignoreCase ? (value) => test(value.toLowerCase()) : test;
}

function plainTest(kind: "exact" | "prefix" | "suffix" | "contains", wanted: string): StringTest {
  switch (kind) {
    case "exact":
      return (value) => value === wanted;
    case "prefix":
      return (value) => value.startsWith(wanted);
    case "suffix":
      return (value) => value.endsWith(wanted);
    case "contains":
      return (value) => value.includes(wanted);
    default:
      return kind satisfies never;
  }
}

/** RE2 in linear time, on the whole value. */
function compileRegex(pattern: string): StringTest {
  const regex = RE2JS.compile(pattern);
  return (value) => regex.testExact(value);
}

export function compilePath(match: PathMatch): StringTest {
  if (match.kind === "regex") return compileRegex(match.value);
  if (match.kind !== "path-prefix") return compileString({ ...match, kind: match.kind });
  const { value, ignoreCase } = match;
  const same = compileString({ kind: "exact", value, ignoreCase });
  const below = compileString({ kind: "prefix", value: `${value.replace(/\/$/, "")}/`, ignoreCase });
  return (path) => same(path) || below(path);
}

export function compileHeader(match: HeaderMatch): (request: RequestFacts) => boolean {
  const test = compileHeaderTest(match.test);
  const { name, invert, missingIsEmpty } = match;
  if (match.test.kind === "present") {
    const wanted = match.test.present !== invert;
    return (request) => (headerOf(request, name) !== undefined) === wanted;
  }
  return (request) => {
    const value = headerOf(request, name) ?? (missingIsEmpty ? "" : undefined);
    // Envoy: a value matcher on a header that is not there does not match, inverted or not.
    return value !== undefined && test(value) !== invert;
  };
}

/**
 * As policy looks at headers, and Envoy's RBAC with it: each value of a repeated header counts by itself, so that a
 * second line hides nothing from a DENY. Routes look at all values joined.
 */
export function compileEachHeader(match: HeaderMatch): (request: RequestFacts) => boolean {
  if (match.test.kind === "present") return compileHeader(match);
  const test = compileHeaderTest(match.test);
  const { name, invert, missingIsEmpty } = match;
  return (request) => {
    const values = headerValuesOf(request, name);
    if (values.length === 0) return missingIsEmpty && test("") !== invert;
    return values.some(test) !== invert;
  };
}

function compileHeaderTest(test: HeaderTest): StringTest {
  switch (test.kind) {
    case "string":
      return compileString(test.match);
    case "present":
      return () => true;
    case "range":
      return (value) => /^-?\d{1,15}$/.test(value) && Number(value) >= test.start && Number(value) < test.end;
    default:
      return test satisfies never;
  }
}

export function compileQuery(match: QueryMatch): (request: RequestFacts) => boolean {
  const test = match.match && compileString(match.match);
  return (request) => {
    const value = queryParameter(request.query, match.name);
    return value !== undefined && (test === undefined || test(value));
  };
}

/** The first value of a parameter, as it was sent (Envoy does not decode it for matching). */
export function queryParameter(query: string, name: string): string | undefined {
  for (const pair of query.slice(1).split("&")) {
    const equals = pair.indexOf("=");
    if ((equals < 0 ? pair : pair.slice(0, equals)) === name) return equals < 0 ? "" : pair.slice(equals + 1);
  }
  return undefined;
}

/** Also takes IPv4 addresses in their IPv6-mapped form, as a dual-stack socket has them. */
export function compileCidr(cidr: Cidr): (address: string) => boolean {
  const block = new BlockList();
  block.addSubnet(cidr.address, cidr.length, isIPv6(cidr.address) ? "ipv6" : "ipv4");
  return (address) => {
    const plain = plainAddress(address);
    // Who comes through a unix socket is from nowhere.
    return isIP(plain) !== 0 && block.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
  };
}

export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
