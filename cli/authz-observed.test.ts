import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObservedCallsReply, SimulatedCalls } from "../mesh/admin-api/observed-replies.ts";
import type { AuthzReply } from "../mesh/admin-api/replies.ts";
import { FAKE_NOW } from "../test/fakes/admin-deps.ts";
import { runCli, startCli } from "../test/harness/run-cli.ts";

const DRAFT = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: draft }
spec: { action: DENY, rules: [{}] }
`;

const CALLS: ObservedCallsReply = {
  from: "spiffe://d/ns/default/sa/web",
  to: "default/reviews-1",
  port: 9080,
  protocol: "http",
  method: "GET",
  host: "reviews",
  path: "/orders/",
  issuer: "",
  precision: "exact",
  denied: false,
  count: 7,
  firstSeen: "2026-01-01T00:00:00.000Z",
  lastSeen: "2026-01-02T00:00:00.000Z",
};
const by = { kind: "AuthorizationPolicy", namespace: "default", name: "draft", rule: "rules[0]" };
const decided = (allowed: boolean | null): SimulatedCalls["before"] => ({
  allowed,
  status: null,
  reason: "no policy is for it",
  decidedBy: allowed === true ? null : by,
});
const change = (after: boolean | null): SimulatedCalls => ({
  calls: CALLS,
  before: decided(true),
  after: decided(after),
});

test("authz seen lists callers, what they called, how often, and how it ended", async (t) => {
  const cli = await startCli(t);
  cli.server.observed.push(CALLS, {
    ...CALLS,
    from: null,
    precision: "start",
    denied: true,
    to: "shop/cart-1",
  });
  const all = await cli.run(["authz", "seen"]);
  assert.equal(all.code, 0, all.stderr);
  assert.match(all.stdout, /^FROM +TO +CALL +RESULT +COUNT +LAST SEEN\n/);
  assert.match(all.stdout, /sa\/web +default\/reviews-1:9080 +GET \/orders\/ +allowed +7 +\d+[a-z] ago/);
  assert.match(all.stdout, /outside +shop\/cart-1:9080 +GET \/orders\/… +denied/);
  const one = await cli.run(["authz", "seen", "cart-1.shop", "-o", "json"]);
  assert.deepEqual(
    JSON.parse(one.stdout).items.map(({ to }: ObservedCallsReply) => to),
    ["shop/cart-1"],
  );
});

test("authz who tells when each caller was last seen", async (t) => {
  const cli = await startCli(t);
  const answer = { allowed: true, status: null, reason: "no policy is for it", decidedBy: null } as const;
  const reply = (from: string, principal: string | null): AuthzReply => ({
    ...answer,
    from,
    principal,
    to: "default/reviews-1",
    port: 9080,
    undecided: [],
    steps: [],
  });
  cli.server.callers.set("default/reviews-1", [reply("default/web-1", CALLS.from), reply("outside", null)]);
  const lastSeen = new Date(FAKE_NOW - 60_000).toISOString();
  cli.server.observed.push(CALLS, { ...CALLS, lastSeen }, { ...CALLS, to: "default/other-1", from: null });
  const { code, stdout, stderr } = await cli.run(["authz", "who", "reviews-1"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^CALLER +RESULT +LAST SEEN +DECIDED BY\n/);
  assert.match(stdout, /sa\/web +allowed +4m ago +no policy/);
  assert.match(stdout, /outside +allowed +- +no policy/);
});

const OUTCOMES: readonly (readonly [string, readonly SimulatedCalls[], number, RegExp])[] = [
  ["nothing", [], 0, /^$/],
  [
    "calls",
    [change(false), change(null)],
    1,
    /allowed → denied +AuthorizationPolicy default\/draft rules\[0\]/,
  ],
  ["what nobody can tell", [change(null)], 2, /Not decided[^]*allowed → undecided/],
];
for (const [what, changes, want, text] of OUTCOMES) {
  test(`authz simulate of a draft that changes ${what} exits with ${want}`, async (t) => {
    const cli = await startCli(t);
    cli.server.changes.push(...changes);
    const { code, stdout, stderr } = await cli.run(["authz", "simulate", "-f", "-", "--since", "2h"], {
      readStdin: async () => DRAFT,
    });
    assert.equal(code, want, stderr);
    assert.match(stdout, text);
    assert.match(stderr, /of 1234 calls/);
    assert.deepEqual(cli.server.simulated, [
      { objects: ["draft"], deleted: [], sinceMs: FAKE_NOW - 7_200_000 },
    ]);
  });
}

test("authz simulate --delete names objects as kubectl does", async (t) => {
  const cli = await startCli(t);
  const argv = ["authz", "simulate", "--delete", "ap/deny-all", "--delete", "pa/shop/default", "-n", "web"];
  assert.equal((await cli.run(argv)).code, 0);
  assert.deepEqual(cli.server.simulated[0]?.deleted, [
    "AuthorizationPolicy/web/deny-all",
    "PeerAuthentication/shop/default",
  ]);
});

const WRONG: readonly (readonly [string, readonly string[], string, number, RegExp])[] = [
  ["no draft", [], "", 64, /wants a draft/],
  ["an object without a name", ["--delete", "ap"], "", 64, /no object/],
  ["an object of no kind", ["--delete", "apple/x"], "", 64, /no kind "apple"/],
  ["a time longer than is kept", ["-f", "-", "--since", "3d"], DRAFT, 64, /sinceMs/],
  ["a draft that is not valid", ["-f", "-"], DRAFT.replace("action", "wrong"), 65, /spec\.wrong {2}is wrong/],
];
for (const [what, args, stdin, want, text] of WRONG) {
  test(`authz simulate with ${what} exits with ${want}`, async (t) => {
    const cli = await startCli(t);
    const { code, stderr } = await cli.run(["authz", "simulate", ...args], { readStdin: async () => stdin });
    assert.equal(code, want, stderr);
    assert.match(stderr, text);
    assert.deepEqual(cli.server.simulated, []);
  });
}

test("authz simulate without a server could not decide", async () => {
  const result = await runCli(["authz", "simulate", "-f", "-"], {
    environment: { LATEEN_ADDR: "unix:///nowhere/admin.sock" },
    readStdin: async () => DRAFT,
  });
  assert.equal(result.code, 2, result.stderr);
});
