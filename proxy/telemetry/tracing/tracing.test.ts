import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tracing } from "../../model/tracing.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { HttpRecord } from "../records.ts";
import { compileTracing } from "./compiled-tracing.ts";
import { extract, inject } from "./propagation.ts";
import { sample } from "./sampling.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SHORT = "463ac35c9f6413ad";
const SPAN = "b7ad6b7169203331";

const NOWHERE = { receive() {}, release() {} };

const list = (headers: Readonly<Record<string, string>>): HeaderList =>
  HeaderList.fromRaw(Object.entries(headers).flat());

const cases: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ["W3C, sampled", { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "a=1" }, `${TRACE} ${SPAN} true a=1`],
  ["W3C, not sampled", { traceparent: `00-${TRACE}-${SPAN}-00` }, `${TRACE} ${SPAN} false `],
  ["W3C of a later version", { traceparent: `01-${TRACE}-${SPAN}-01-more` }, `${TRACE} ${SPAN} true `],
  ["W3C with other flags too", { traceparent: `00-${TRACE}-${SPAN}-03` }, `${TRACE} ${SPAN} true `],
  ["W3C without a trace", { traceparent: `00-${"0".repeat(32)}-${SPAN}-01` }, "none"],
  ["W3C without a span", { traceparent: `00-${TRACE}-${"0".repeat(16)}-01` }, "none"],
  ["W3C of version ff", { traceparent: `ff-${TRACE}-${SPAN}-01` }, "none"],
  ["W3C in capitals", { traceparent: `00-${TRACE.toUpperCase()}-${SPAN}-01` }, "none"],
  ["B3 in one", { b3: `${TRACE}-${SPAN}-1-${SPAN}` }, `${TRACE} ${SPAN} true `],
  ["B3 in one, undecided", { b3: `${TRACE}-${SPAN}` }, `${TRACE} ${SPAN} undefined `],
  ["B3 in one, debug", { b3: `${TRACE}-${SPAN}-d` }, `${TRACE} ${SPAN} true `],
  ["B3 in one that denies and names no trace", { b3: "0" }, "none false"],
  ["B3 in one that debugs and names no trace", { b3: "d" }, "none true"],
  ["B3 in several that denies and names no trace", { "x-b3-sampled": "0" }, "none false"],
  ["B3 in several that debugs and names no trace", { "x-b3-flags": "1" }, "none true"],
  ["B3 whose decision is none", { "x-b3-sampled": "perhaps" }, "none"],
  [
    "B3 of an older version",
    { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "false" },
    `${TRACE} ${SPAN} false `,
  ],
  [
    "W3C before a B3 that denies",
    { b3: "0", traceparent: `00-${TRACE}-${SPAN}-01` },
    `${TRACE} ${SPAN} true `,
  ],
  [
    "B3 in several, short",
    { "x-b3-traceid": SHORT, "x-b3-spanid": SPAN, "x-b3-sampled": "0" },
    `${"0".repeat(16)}${SHORT} ${SPAN} false `,
  ],
  [
    "B3 in several, debug",
    { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-flags": "1" },
    `${TRACE} ${SPAN} true `,
  ],
  ["B3 with a trace that is none", { "x-b3-traceid": "xyz", "x-b3-spanid": SPAN }, "none"],
  [
    "W3C before B3",
    { b3: `${SHORT}-${SPAN}-0`, traceparent: `00-${TRACE}-${SPAN}-01` },
    `${TRACE} ${SPAN} true `,
  ],
];

for (const [name, headers, want] of cases) {
  test(`reads ${name}`, () => {
    const { parent, sampled } = extract(list(headers));
    const decided = sampled === undefined ? "none" : `none ${String(sampled)}`;
    assert.equal(
      parent ? `${parent.traceId} ${parent.spanId} ${String(sampled)} ${parent.state}` : decided,
      want,
    );
  });
}

test("tells the upstream in W3C's form, and in those of B3 that came in", () => {
  const context = { traceId: TRACE, spanId: SPAN, sampled: true, state: "a=1" };
  const plain = list({});
  inject(plain, context, { parentId: undefined, b3: false });
  assert.deepEqual(plain.toRaw(), ["traceparent", `00-${TRACE}-${SPAN}-01`, "tracestate", "a=1"]);
  const both = list({ b3: "old", "x-b3-traceid": "old", "x-b3-spanid": "old", tracestate: "old" });
  inject(both, { ...context, state: "", sampled: false }, { parentId: SHORT, b3: false });
  assert.deepEqual(Object.fromEntries(both.names().map((name) => [name, both.get(name)])), {
    b3: `${TRACE}-${SPAN}-0-${SHORT}`,
    "x-b3-traceid": TRACE,
    "x-b3-spanid": SPAN,
    "x-b3-sampled": "0",
    "x-b3-parentspanid": SHORT,
    traceparent: `00-${TRACE}-${SPAN}-00`,
  });
});

test("what the caller has decided holds, whatever the share is", () => {
  for (const [flags, random, want] of [
    ["01", 0, true],
    ["00", 1, false],
  ] as const) {
    const headers = list({ traceparent: `00-${TRACE}-${SPAN}-${flags}` });
    const record = { requestId: "" } as HttpRecord;
    compileTracing(shares(1, random), Math.random, NOWHERE).begin(record, headers);
    assert.equal(record.span?.context.sampled, want);
    assert.match(headers.get("traceparent") ?? "", new RegExp(`^00-${TRACE}-[\\da-f]{16}-${flags}$`));
  }
});

for (const [name, headers, told] of [
  ["b3", { b3: "0" }, /^[\da-f]{32}-[\da-f]{16}-0$/],
  ["x-b3-sampled", { "x-b3-sampled": "0" }, /^0$/],
] as const) {
  test(`a caller that only denies, in ${name}, is not sampled, and neither are those after it`, () => {
    const given = list(headers);
    const record = { requestId: "" } as HttpRecord;
    compileTracing(shares(1, 1), Math.random, NOWHERE).begin(record, given);
    assert.equal(record.span?.context.sampled, false);
    assert.equal(record.span.parentId, undefined);
    assert.match(given.get("traceparent") ?? "", /-00$/);
    assert.match(given.get(name) ?? "", told);
    assert.equal(given.get("x-b3-traceid") !== undefined, name === "x-b3-sampled");
  });
}

const shares = (clientSampling: number, randomSampling: number, overallSampling = 1): Tracing => ({
  tracer: { kind: "otlp", cluster: "c", authority: "c", service: "s" },
  clientSampling,
  randomSampling,
  overallSampling,
  longestPath: 256,
  tags: [],
});
const id = (digit: string): string => `6ba7b810-9dad-${digit}1d1-80b4-00c04fd430c8`;

for (const [name, requestId, header, tracing, want] of [
  ["chance says so", id("4"), undefined, shares(1, 0.5), `true ${id("9")}`],
  ["chance says no", id("4"), undefined, shares(1, 0.1), `false ${id("4")}`],
  ["the client forces it", id("4"), "x-client-trace-id", shares(1, 0), `true ${id("b")}`],
  ["a client that may not", id("4"), "x-client-trace-id", shares(0, 0), `false ${id("4")}`],
  ["a service forces it", id("4"), "x-envoy-force-trace", shares(1, 0), `true ${id("a")}`],
  ["the ID says that it was sampled", id("9"), undefined, shares(1, 0), `true ${id("9")}`],
  ["the ID says that it was forced", id("b"), undefined, shares(1, 0), `true ${id("b")}`],
  ["all in all fewer are wanted", id("4"), undefined, shares(1, 1, 0.1), `false ${id("4")}`],
  ["an ID of one's own stays", "mine", undefined, shares(1, 1), "true mine"],
] as const) {
  test(`samples: ${name}`, () => {
    const decided = sample(
      { requestId, header: (asked) => (asked === header ? "x" : undefined) },
      tracing,
      () => 0.3,
    );
    assert.equal(`${decided.sampled} ${decided.requestId}`, want);
  });
}
