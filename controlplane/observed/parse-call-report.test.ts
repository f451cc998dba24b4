import assert from "node:assert/strict";
import { test } from "node:test";
import { CallReport, ObservedCall } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { parseCallReport } from "./parse-call-report.ts";

const NOW = 1_700_000_000_000;
const wire = (over: Partial<ObservedCall> = {}): ObservedCall => ({
  ...ObservedCall.fromPartial({
    port: 80,
    protocol: "http",
    method: "GET",
    host: "web",
    path: "/",
    precision: "exact",
  }),
  count: 1,
  firstSeenMs: NOW - 5,
  lastSeenMs: NOW - 1,
  ...over,
});
const report = (...calls: ObservedCall[]): CallReport =>
  CallReport.decode(
    CallReport.encode(
      CallReport.fromPartial({
        workloads: [{ workload: "default/web-1", calls }, { workload: "default/web-2" }],
      }),
    ).finish(),
  );

test("a report is read over the wire as it was sent", () => {
  const sent = wire({ source: "spiffe://d/ns/a/sa/a", issuer: "i", denied: true, count: 7 });
  const { reported, refusals } = parseCallReport(report(sent), NOW);
  assert.deepEqual(reported[0], { workload: "default/web-1", calls: [sent], leftOut: 0 });
  assert.deepEqual(refusals, []);
});

const BAD: readonly (readonly [string, Partial<ObservedCall>, RegExp])[] = [
  ["a path that would move a terminal's cursor", { path: "/\u001b[2J" }, /path/],
  ["a path without end", { path: "/".repeat(300) }, /path/],
  ["a host without end", { host: "h".repeat(300) }, /host/],
  ["a caller with a line break", { source: "a\nb" }, /source/],
  ["another protocol", { protocol: "udp" }, /protocol/],
  ["another precision", { precision: "" }, /precision/],
  ["a port that is none", { port: 65_536 }, /port/],
  ["no calls", { count: 0 }, /count/],
  ["more calls than there can be", { count: 1e15 }, /count/],
];
for (const [name, over, reason] of BAD) {
  test(`${name} makes the workload's part refused, and no other`, () => {
    const { reported, refusals } = parseCallReport(report(wire(), wire(over)), NOW);
    assert.deepEqual(
      reported.map(({ workload }) => workload),
      ["default/web-2"],
    );
    assert.equal(refusals[0]?.workload, "default/web-1");
    assert.match(refusals[0]?.reason ?? "", reason);
  });
}

test("times of a clock that is wrong are brought to ones that can be", () => {
  const { reported } = parseCallReport(report(wire({ firstSeenMs: 0, lastSeenMs: NOW + 1e9 })), NOW);
  const [{ firstSeenMs, lastSeenMs } = wire()] = reported[0]?.calls ?? [];
  assert.deepEqual([firstSeenMs, lastSeenMs], [NOW - 86_400_000, NOW]);
});

test("a report without measure is not read at all", () => {
  const calls = Array.from({ length: 2001 }, () => wire());
  assert.throws(() => parseCallReport(report(...calls), NOW), { code: "object.invalid" });
});
