import assert from "node:assert/strict";
import { test } from "node:test";
import { HTTPAccessLogEntry, TCPAccessLogEntry } from "../xds/gen/envoy/data/accesslog/v3/accesslog.ts";
import { type CountedCalls, REFUSED_TOKEN } from "./call-kind.ts";
import { readHttpEntry, readTcpEntry, toHttpEntry, toTcpEntry } from "./log-entry.ts";

const http: CountedCalls = {
  source: "spiffe://d/ns/a/sa/a",
  port: 9080,
  protocol: "http",
  method: "GET",
  host: "web:80",
  path: "/a",
  issuer: "https://issuer.test",
  precision: "exact",
  denied: false,
  count: 3,
  firstSeenMs: 1_700_000_000_000,
  lastSeenMs: 1_700_000_001_250,
};
const tcp: CountedCalls = { ...http, protocol: "tcp", method: "", host: "", path: "", issuer: "" };

const cases: readonly (readonly [name: string, calls: CountedCalls])[] = [
  ["requests", http],
  ["requests that a policy denied, from nobody known", { ...http, source: "", issuer: "", denied: true }],
  ["requests whose token was refused", { ...http, issuer: REFUSED_TOKEN, denied: true }],
  ["a million requests", { ...http, count: 1_000_000 }],
  ["connections", tcp],
  ["connections that a policy denied", { ...tcp, denied: true, count: 1 }],
];
for (const [name, calls] of cases) {
  test(`${name} are read from the log as they were written`, () => {
    const { count, firstSeenMs: firstMs, lastSeenMs: lastMs, ...kind } = calls;
    const read =
      kind.protocol === "http"
        ? readHttpEntry(HTTPAccessLogEntry.decode(HTTPAccessLogEntry.encode(toHttpEntry(calls)).finish()))
        : readTcpEntry(TCPAccessLogEntry.decode(TCPAccessLogEntry.encode(toTcpEntry(calls)).finish()));
    assert.deepEqual(read, { kind, seen: { count, firstMs, lastMs } });
  });
}

test("an entry without a request, or with a method that Envoy has no number for, is no reason to fail", () => {
  assert.equal(readHttpEntry(HTTPAccessLogEntry.fromPartial({})), undefined);
  assert.equal(
    readHttpEntry(HTTPAccessLogEntry.fromPartial({ commonProperties: {}, request: {} })),
    undefined,
  );
  assert.equal(readTcpEntry(TCPAccessLogEntry.fromPartial({})), undefined);
  const odd = readHttpEntry(HTTPAccessLogEntry.fromPartial({ commonProperties: {}, request: { path: "/" } }));
  assert.deepEqual([odd?.kind.method, odd?.seen.count], ["", 1]);
});

for (const sampleRate of [-1, Number.NaN, 1e-300]) {
  test(`a sample rate of ${sampleRate} does not make a count that cannot be`, () => {
    const entry = { commonProperties: { sampleRate }, request: { path: "/" } };
    const count = readHttpEntry(HTTPAccessLogEntry.fromPartial(entry))?.seen.count ?? 0;
    assert.ok(count >= 1 && count <= 1e9, `${count}`);
  });
}
