import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallKind, coarser, httpCallKind, REFUSED_TOKEN } from "./call-kind.ts";
import { CALL_LIMITS } from "./call-table.ts";
import { CallTally } from "./call-tally.ts";

const SEEN = { count: 1, firstMs: 1000, lastMs: 2000 };
const PER_SOURCE = Object.values(CALL_LIMITS.kinds).reduce((sum, most) => sum + most);

function kind(target: string, over: { source?: string; method?: string; host?: string } = {}): CallKind {
  const call = {
    source: "spiffe://d/ns/a/sa/a",
    port: 80,
    method: "GET",
    host: "web",
    issuer: "",
    details: "",
  };
  return httpCallKind({ ...call, target, ...over });
}

test("calls that are alike are one entry with their number and times, and are taken away once", () => {
  const tally = new CallTally();
  tally.add(kind("/a?token=1"), { count: 2, firstMs: 5, lastMs: 7 });
  tally.add(kind("/a#x"), { count: 1, firstMs: 3, lastMs: 4 });
  const { calls, leftOut } = tally.take();
  assert.deepEqual(calls, [{ ...kind("/a"), count: 3, firstSeenMs: 3, lastSeenMs: 7 }]);
  assert.equal(leftOut, 0);
  assert.ok(tally.isEmpty);
});

for (const [name, target] of [
  ["first segments", (i: number) => `/p${i}/x`],
  ["second segments", (i: number) => `/orders/${i}`],
] as const) {
  test(`10^5 paths with other ${name} stay bounded, and no call is lost from the count`, () => {
    const tally = new CallTally();
    for (let i = 0; i < 100_000; i++) tally.add(kind(target(i)), SEEN);
    const { calls, leftOut } = tally.take();
    assert.ok(calls.length <= PER_SOURCE, `${calls.length}`);
    assert.equal(calls.reduce((sum, { count }) => sum + count, 0) + leftOut, 100_000);
  });
}

test("paths below one folder are counted under it, when there are too many", () => {
  const tally = new CallTally();
  for (let i = 0; i < 1000; i++) tally.add(kind(`/orders/${i}/items`), SEEN);
  const { calls } = tally.take();
  const folder = calls.find(({ precision }) => precision === "start");
  assert.deepEqual([folder?.path, folder?.count], ["/orders/", 1000 - CALL_LIMITS.kinds.exact]);
});

test("whoever makes up methods, hosts and paths takes no room of another caller", () => {
  const tally = new CallTally();
  for (let i = 0; i < 10_000; i++) {
    tally.add(kind(`/${i}`, { source: "", method: `M${i}`, host: `h${i}` }), SEEN);
  }
  tally.add(kind("/known"), SEEN);
  const { calls } = tally.take();
  assert.ok(calls.filter(({ source }) => source === "").length <= PER_SOURCE);
  assert.equal(calls.filter(({ path, precision }) => path === "/known" && precision === "exact").length, 1);
});

test("callers beyond the limit are counted as left out", () => {
  const tally = new CallTally();
  for (let i = 0; i < CALL_LIMITS.sources + 10; i++)
    tally.add(kind("/", { source: `spiffe://d/ns/a/sa/${i}` }), SEEN);
  const { calls, leftOut } = tally.take();
  assert.deepEqual([calls.length, leftOut], [CALL_LIMITS.sources, 10]);
});

const LONG = "x".repeat(5000);
const kinds: readonly {
  readonly name: string;
  readonly given: CallKind;
  readonly want: Partial<CallKind>;
}[] = [
  {
    name: "a long path is cut",
    given: kind(`/${LONG}`),
    want: { precision: "start", path: `/${LONG}`.slice(0, 256) },
  },
  {
    name: "a long host is not told",
    given: kind("/", { host: LONG }),
    want: { precision: "rest", host: "", method: "" },
  },
  {
    name: "a long method is not told",
    given: kind("/", { method: LONG }),
    want: { precision: "rest", path: "" },
  },
  {
    name: "a long identity is cut",
    given: kind("/", { source: LONG }),
    want: { precision: "rest", source: LONG.slice(0, 512) },
  },
];
for (const { name, given, want } of kinds) {
  test(name, () => assert.deepEqual({ ...given, ...want }, given));
}

const DETAILS = [
  ["via_upstream", false, "i"],
  ["rbac_access_denied_matched_policy[none]", true, "i"],
  ["ext_authz_denied", true, "i"],
  ["jwt_authn_access_denied{Jwt_is_expired}", true, REFUSED_TOKEN],
] as const;
for (const [details, denied, issuer] of DETAILS) {
  test(`a request that ends with ${details} is ${denied ? "denied" : "let in"}`, () => {
    const call = { source: "", port: 1, method: "GET", host: "h", issuer: "i", target: "/", details };
    const { denied: is, issuer: of } = httpCallKind(call);
    assert.deepEqual([is, of], [denied, issuer]);
  });
}

test("each kind is in a coarser one, down to the caller and its port", () => {
  const paths = ["/a/b/c", "/a/", "/a", "/", "*"];
  for (const path of paths) {
    const start = coarser(kind(path));
    assert.ok(start !== undefined && path.startsWith(start.path), `${path} ${start?.path}`);
    const rest = coarser(start);
    assert.deepEqual([rest?.precision, rest?.path, rest && coarser(rest)], ["rest", "", undefined]);
  }
});
