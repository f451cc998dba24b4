import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type {
  AuthzSimulationReply,
  ObservedCallsReply,
  ObservedReply,
} from "../../mesh/admin-api/observed-replies.ts";
import { edgeCall } from "../harness/edge-calls.ts";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import { gateway } from "../harness/mesh-gateways.ts";
import { authorizationPolicy, document, virtualService } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { portOf } from "../harness/mesh-topology.ts";
import { claims, ISSUER, jwks, token } from "../harness/test-tokens.ts";

const REVIEWS = "reviews.default.svc.cluster.local";
const HOSTS = [
  { name: "caller", service: "caller", upstreams: [REVIEWS] },
  { name: "stranger", service: "stranger", namespace: "other", upstreams: [REVIEWS] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;
const CALLER = "spiffe://e2e.local/ns/default/sa/caller";
const STRANGER = "spiffe://e2e.local/ns/other/sa/stranger";
/** An agent reports within 15 s. */
const REPORTED_MS = 40_000;

describeMesh("observed calls", { hosts: HOSTS }, (mesh) => {
  test("calls are seen with who made them, and a draft shows those alone that it would change", async () => {
    const orders = { path: "/orders/1?secret=s3cret" };
    for (let round = 0; round < 3; round++) await allowed(mesh(), "caller", orders.path);
    await allowed(mesh(), "caller", "/orders", "POST");
    await allowed(mesh(), "stranger", orders.path);
    const told = await seen(mesh(), "five calls", (calls) => sum(calls) === 5);
    assert.deepEqual(told.map(textOf).sort(), [
      `${CALLER} GET /orders/1 x3 allowed`,
      `${CALLER} POST /orders x1 allowed`,
      `${STRANGER} GET /orders/1 x1 allowed`,
    ]);
    assert.doesNotMatch(JSON.stringify(told), /s3cret/);
    const port = portOf(mesh().host("reviews-v1").spec);
    assert.ok(told.every((one) => one.host === "reviews" && one.port === port));

    for (const { rules, changes, undecided = 0, code } of DRAFTS) {
      const [action, ...list] = rules;
      const draft = authorizationPolicy("draft", "reviews", { action, rules: list });
      const result = await simulate(mesh(), ["-f", "-"], draft);
      assert.deepEqual(result.changes, changes, draft);
      assert.deepEqual([result.undecided, result.code], [undecided, code], draft);
    }

    await mesh().server.stop();
    await mesh().server.start();
    const still = await seen(mesh(), "the same after a restart", (calls) => sum(calls) >= 5);
    assert.deepEqual(still, told);
  });

  test("a call that is denied is seen as denied, and to delete the policy is seen to let it in", async () => {
    const rules = [
      { from: [{ source: { namespaces: ["other"] } }], to: [{ operation: { paths: ["/denied"] } }] },
    ];
    await mesh().apply(authorizationPolicy("no-strangers", "reviews", { action: "DENY", rules }));
    await eventually("the call is denied", async () => {
      const { status } = await mesh().call("stranger", REVIEWS, "/denied");
      return status === 403;
    });
    await seen(mesh(), "the denied call", (calls) =>
      calls.some(({ path, denied, from }) => path === "/denied" && denied && from === STRANGER),
    );
    const { changes, reply, code } = await simulate(mesh(), ["--delete", "ap/no-strangers"]);
    assert.equal(code, 1);
    // A call on a connection from before the policy may have been let in: it is another kind, and would be decided alike.
    const denied = new RegExp(`^${STRANGER} GET /denied x\\d+ false → true$`);
    assert.ok(changes.length > 0);
    for (const change of changes) assert.match(change, denied);
    assert.equal(reply.changes[0]?.before.decidedBy?.name, "no-strangers");
  });
});

describeMesh("observed tokens", { hosts: HOSTS }, (mesh) => {
  test("of a token its issuer is told, of a bad one that it was refused, and of neither any claim", async () => {
    const jwtRules = [{ issuer: ISSUER, jwks: jwks() }];
    await mesh().apply(document("security.istio.io/v1", "RequestAuthentication", "tokens", { jwtRules }));
    const bad = token(claims({ exp: 1 }));
    for (const [path, sent, want] of [
      ["/good", token(), 200],
      ["/bad", bad, 401],
    ] as const) {
      await eventually(`${path} is answered with ${want}`, async () => {
        const headers = { authorization: `Bearer ${sent}` };
        return (await mesh().call("caller", REVIEWS, path, { headers })).status === want;
      });
    }
    await allowed(mesh(), "caller", "/none");
    const told = await seen(
      mesh(),
      "all three",
      (calls) => new Set(calls.map(({ path }) => path)).size === 3,
    );
    const last = (path: string): unknown => {
      const one = told.find((calls) => calls.path === path && calls.denied === (path === "/bad"));
      return [one?.issuer, one?.denied];
    };
    assert.deepEqual(last("/good"), [ISSUER, false]);
    assert.deepEqual(last("/bad"), ["(refused)", true]);
    assert.deepEqual(last("/none"), ["", false]);
    assert.doesNotMatch(JSON.stringify(told), /alice/);
  });
});

const GATEWAY = [
  { name: "edge", service: "edge", gateway: { labels: { app: "edge", istio: "ingressgateway" } } },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;

describeMesh("observed at a gateway", { hosts: GATEWAY }, (mesh) => {
  test("what comes in at a gateway is seen, and who refused it is told; a draft for it is tried on it", async () => {
    const { address } = mesh().host("edge").spec;
    const call = async (path: string): Promise<number> =>
      (await edgeCall(address, 8080, { host: "a.example.com", path })).status;
    const admin = { to: [{ operation: { paths: ["/admin*"] } }] };
    await mesh().apply(
      gateway("edge", [{ port: 8080, protocol: "HTTP", bind: address, hosts: ["a.example.com"] }]) +
        virtualService("a.example.com", {
          gateways: ["edge"],
          http: [{ route: [{ destination: { host: "reviews" } }] }],
        }) +
        authorizationPolicy("no-admin", "edge", { action: "DENY", rules: [admin] }),
    );
    await eventually("/admin refused", async () => (await call("/admin")) === 403);
    assert.equal(await call("/open"), 200);
    const told = await seen(
      mesh(),
      "both calls",
      (calls) => ["/admin", "/open"].every((path) => calls.some((one) => one.path === path)),
      "edge",
    );
    const one = (path: string): ObservedCallsReply | undefined =>
      told.find((calls) => calls.path === path && calls.denied === (path === "/admin"));
    assert.deepEqual([one("/admin")?.from, one("/admin")?.port, one("/open")?.denied], [null, 8080, false]);
    const refusal = mesh()
      .host("edge")
      .log.text.split("\n")
      .find((line) => line.includes("refused by policy"));
    assert.match(refusal ?? "", /ns\[default\]-policy\[no-admin\]-rule\[0\]/);
    const draft = authorizationPolicy("draft", "edge", { action: "DENY", rules: [{}] });
    const result = await simulate(mesh(), ["-f", "-"], draft);
    assert.deepEqual(result.reply.undecided, []);
    assert.deepEqual(
      result.reply.changes.map(({ calls, before, after }) => [calls.path, before.allowed, after.allowed]),
      [["/open", true, false]],
    );
  });
});

const STORE = "store.default.svc.cluster.local:9090";
const TCP_HOSTS = [
  { name: "caller", service: "caller", upstreams: [STORE] },
  { name: "stranger", service: "stranger", namespace: "other", upstreams: [STORE] },
  { name: "store-v1", service: "store", version: "v1", protocol: "tcp" },
] as const;

describeMesh("observed connections", { hosts: TCP_HOSTS }, (mesh) => {
  test("connections are seen with who opened them, and a draft for their port shows what it would change", async () => {
    const name = "no-strangers";
    const rules = [{ from: [{ source: { namespaces: ["other"] } }] }];
    await mesh().apply(authorizationPolicy(name, "store", { action: "DENY", rules }));
    assert.equal((await mesh().tcpCall("caller", STORE, "hello")).echoed, "hello");
    assert.notEqual((await mesh().tcpCall("stranger", STORE, "hello")).echoed, "hello");
    const told = await seen(mesh(), "both connections", (calls) => sum(calls) === 2, "store-v1");
    assert.deepEqual(told.map(textOf).sort(), [`${CALLER}   x1 allowed`, `${STRANGER}   x1 denied`]);
    assert.ok(told.every(({ protocol }) => protocol === "tcp"));
    const other = authorizationPolicy(name, "store", { rules: [{ from: rules[0]?.from, to: [PORT] }] });
    const { changes, code } = await simulate(mesh(), ["-f", "-"], other);
    assert.deepEqual(changes.toSorted(), [`${CALLER}   x1 true → false`, `${STRANGER}   x1 false → true`]);
    assert.equal(code, 1);
  });
});

const PORT = { operation: { ports: ["9090"] } };

describeMesh("an agent that hangs", { hosts: HOSTS }, (mesh) => {
  test("costs no request: what nobody reads of the log of calls is left out", async () => {
    const host = mesh().host("reviews-v1");
    await host.stopAgent();
    const agent = await host.startAgentProcess();
    await mesh().synced();
    agent.kill("SIGSTOP");
    try {
      const long = `/${"x".repeat(4_000)}`;
      const answered = await mesh().tally(3_000, "caller", REVIEWS, long);
      assert.deepEqual(Object.values(answered), [3_000], JSON.stringify(answered));
      if (mesh().dataPlane === "envoy") {
        const body = await host.askProxy("/stats?filter=grpc_access_log.logs_dropped");
        assert.ok(Number(/dropped: (\d+)/.exec(body)?.[1]) > 0, body);
      }
    } finally {
      agent.kill("SIGCONT");
    }
    await seen(mesh(), "calls, once the agent goes on", (calls) => sum(calls) > 0);
  });
});

interface Draft {
  readonly rules: readonly [action: "ALLOW" | "DENY", ...rules: readonly unknown[]];
  readonly changes: readonly string[];
  readonly undecided?: number;
  readonly code: number;
}

const DRAFTS: readonly Draft[] = [
  {
    rules: ["DENY", { from: [{ source: { namespaces: ["other"] } }] }],
    changes: [`${STRANGER} GET /orders/1 x1 true → false`],
    code: 1,
  },
  {
    rules: ["ALLOW", { to: [{ operation: { methods: ["GET"] } }] }],
    changes: [`${CALLER} POST /orders x1 true → false`],
    code: 1,
  },
  { rules: ["ALLOW", {}], changes: [], code: 0 },
  {
    // Headers are not recorded: of the one call that the rest of the rule is for nothing can be said.
    rules: [
      "DENY",
      {
        to: [{ operation: { methods: ["POST"] } }],
        when: [{ key: "request.headers[x-team]", values: ["blue"] }],
      },
    ],
    changes: [],
    undecided: 1,
    code: 2,
  },
];

async function allowed(mesh: Mesh, from: string, path: string, method = "GET"): Promise<void> {
  const { status, failure } = await mesh.call(from, REVIEWS, path, { method, headers: { host: "reviews" } });
  assert.equal(status, 200, failure);
}

/** Calls to the workload, once they are what is waited for. */
async function seen(
  mesh: Mesh,
  question: string,
  isThere: (calls: readonly ObservedCallsReply[]) => boolean,
  host = "reviews-v1",
): Promise<readonly ObservedCallsReply[]> {
  const to = encodeURIComponent(mesh.host(host).workload);
  const ask = async (): Promise<readonly ObservedCallsReply[] | undefined> => {
    const { items } = await mesh.admin.get<ObservedReply>(`/v1/observed-calls?to=${to}`);
    if (isThere(items)) return items;
    await delay(100);
    return undefined;
  };
  return await eventually(question, ask, REPORTED_MS);
}

async function simulate(
  mesh: Mesh,
  options: readonly string[],
  draft = "",
): Promise<{ changes: readonly string[]; undecided: number; code: number; reply: AuthzSimulationReply }> {
  const { code, stdout, stderr } = await mesh.cli(["authz", "simulate", ...options, "-o", "json"], draft);
  assert.match(stdout, /^\{/, stderr);
  const reply = JSON.parse(stdout) as AuthzSimulationReply;
  const changes = reply.changes.map(({ calls, before, after }) =>
    textOf(calls).replace(/\S+$/, `${before.allowed} → ${after.allowed}`),
  );
  return { changes, undecided: reply.undecided.length, code, reply };
}

function sum(calls: readonly ObservedCallsReply[]): number {
  return calls.reduce((total, { count }) => total + count, 0);
}

function textOf({ from, method, path, count, denied }: ObservedCallsReply): string {
  return `${from} ${method} ${path} x${count} ${denied ? "denied" : "allowed"}`;
}
