import type { HashKey, HashPolicy } from "../model/route.ts";
import { type ConnectionFacts, headerValuesOf, type RequestFacts } from "./facts.ts";
import { queryParameter } from "./matchers.ts";
import { xxHash64 } from "./xx-hash.ts";

/** What a request is sent to a host by; undefined hash: by chance. */
export interface RequestHash {
  readonly hash: bigint | undefined;
  /** Set-Cookie values for the answer, so that the client's next request has what this one lacked. */
  readonly cookies: readonly string[];
}

export type RequestHasher = (request: RequestFacts, connection: ConnectionFacts) => RequestHash;

interface KeyHash {
  readonly hash: bigint;
  readonly cookie?: string;
}

type KeyHasher = (request: RequestFacts, connection: ConnectionFacts) => KeyHash | undefined;

const NO_COOKIES: readonly string[] = [];

/** Undefined: there is nothing to hash by. Hashes of several policies are combined as in Envoy (`hash_policy.cc`). */
export function compileHashPolicies(policies: readonly HashPolicy[]): RequestHasher | undefined {
  if (policies.length === 0) return undefined;
  const hashers = policies.map(({ key, terminal }) => ({ of: compileKey(key), terminal }));
  return (request, connection) => {
    let hash: bigint | undefined;
    let cookies = NO_COOKIES;
    for (const { of, terminal } of hashers) {
      const next = of(request, connection);
      if (next?.cookie !== undefined) cookies = [...cookies, next.cookie];
      if (next !== undefined) hash = hash === undefined ? next.hash : rotateLeft(hash) ^ next.hash;
      if (terminal && hash !== undefined) break;
    }
    return { hash, cookies };
  };
}

function rotateLeft(hash: bigint): bigint {
  return BigInt.asUintN(64, (hash << 1n) | (hash >> 63n));
}

function compileKey(key: HashKey): KeyHasher {
  switch (key.kind) {
    case "header":
      return (request) => hashOfAll(headerValuesOf(request, key.name));
    case "query":
      return (request) => hashOf(queryParameter(request.query, key.name));
    case "source-ip":
      return (_, { remoteAddress }) => hashOf(remoteAddress);
    case "cookie":
      return compileCookie(key);
    default:
      return key satisfies never;
  }
}

/** Their order on the wire means nothing. */
function hashOfAll(values: readonly string[]): KeyHash | undefined {
  if (values.length === 0) return undefined;
  return { hash: [...values].sort().reduce((seed, value) => xxHash64(value, seed), 0n) };
}

function hashOf(value: string | undefined): KeyHash | undefined {
  return value === undefined ? undefined : { hash: xxHash64(value) };
}

/** A new cookie is the same for all requests of a connection, so that requests that race lead to one host. */
function compileCookie(key: Extract<HashKey, { kind: "cookie" }>): KeyHasher {
  const { name, ttlSeconds } = key;
  const suffix = cookieSuffix(key);
  return (request, { remoteAddress, remotePort, localAddress, localPort }) => {
    const value = cookieOf(request.headerValues("cookie"), name);
    if (value || ttlSeconds === undefined) return hashOf(value || undefined);
    const ends = `${remoteAddress}:${remotePort}${localAddress}:${localPort}`;
    const made = xxHash64(ends).toString(16).padStart(16, "0");
    return { hash: xxHash64(made), cookie: `${name}="${made}"${suffix}` };
  };
}

function cookieSuffix({ ttlSeconds = 0, path, attributes }: Extract<HashKey, { kind: "cookie" }>): string {
  const parts = [
    ...(ttlSeconds > 0 ? [`Max-Age=${ttlSeconds}`] : []),
    ...(path === "" ? [] : [`Path=${path}`]),
    ...attributes.map(({ name, value }) => (value === "" ? name : `${name}=${value}`)),
    "HttpOnly",
  ];
  return parts.map((part) => `; ${part}`).join("");
}

/** The first of a name, without its quotes; RFC 6265 §4.2.1. */
function cookieOf(headers: readonly string[], name: string): string | undefined {
  for (const pair of headers.flatMap((header) => header.split(";"))) {
    const equals = pair.indexOf("=");
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  }
  return undefined;
}
