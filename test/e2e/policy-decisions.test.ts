import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import type { Reply } from "../harness/mesh-calls.ts";
import { authorizationPolicy } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { assertLogged, told } from "../harness/told-decisions.ts";

const REVIEWS = "reviews.default.svc.cluster.local";
const STORE = "store.default.svc.cluster.local:9090";
const HOSTS = [
  { name: "caller", service: "caller", upstreams: [REVIEWS, STORE] },
  { name: "stranger", service: "stranger", namespace: "other", upstreams: [REVIEWS, STORE] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "store-v1", service: "store", version: "v1", protocol: "tcp" },
] as const;
const CALLER = "spiffe://e2e.local/ns/default/sa/caller";
const STRANGER = "spiffe://e2e.local/ns/other/sa/stranger";

const strangers = [{ source: { namespaces: ["other"] } }];
const rule = (policy: string): string => `ns[default]-policy[${policy}]-rule[0]`;
const inDryRun = (yaml: string): string =>
  yaml.replace("metadata:", 'metadata:\n  annotations: { istio.io/dry-run: "true" }');

/** Policies by whose decisions everything can be told apart; named so that none of them is a word of a reply. */
const POLICIES = [
  authorizationPolicy("no-strangers", "reviews", {
    action: "DENY",
    rules: [{ from: strangers, to: [{ operation: { paths: ["/secret"] } }] }],
  }),
  authorizationPolicy("what-is-open", "reviews", {
    action: "ALLOW",
    rules: [{ to: [{ operation: { paths: ["/open", "/secret"] } }] }],
  }),
  inDryRun(authorizationPolicy("tried-deny", "reviews", { action: "DENY", rules: [{ from: strangers }] })),
  authorizationPolicy("watched", "reviews", { action: "AUDIT", rules: [{ from: strangers }] }),
  authorizationPolicy("no-strange-bytes", "store", { action: "DENY", rules: [{ from: strangers }] }),
  inDryRun(authorizationPolicy("tried-bytes", "store", { action: "DENY", rules: [{}] })),
];

describeMesh("decisions of policies", { hosts: HOSTS }, (mesh) => {
  test("a refusal tells its caller nothing but 403, and its operator which policy it was", async () => {
    await mesh().apply(POLICIES.join(""));
    const refusal = async (who: string, path: string): Promise<Reply> =>
      await eventually(`${who} is refused at ${path}`, async () => {
        const reply = await mesh().call(who, REVIEWS, path);
        return reply.status === 403 && reply;
      });
    const refused = await refusal("stranger", "/secret");
    const closed = await refusal("caller", "/closed");
    for (const { status, body, headers } of [refused, closed]) {
      assert.deepEqual([status, body], [403, "RBAC: access denied"]);
      assert.doesNotMatch(JSON.stringify(headers), /policy|rbac|strangers|open/i);
    }
    await told(mesh(), "reviews-v1", [
      [rule("no-strangers"), "denied", "true"],
      ["none", "denied", "true"],
      [rule("tried-deny"), "denied", "false"],
      [rule("watched"), "audited", "true"],
    ]);
    assertLogged(mesh(), "reviews-v1", "refused by policy", rule("no-strangers"), STRANGER, "/secret");
    assertLogged(mesh(), "reviews-v1", "refused by policy", "none", CALLER, "/closed");
    assertLogged(mesh(), "reviews-v1", "a policy in dry run would refuse this", rule("tried-deny"), STRANGER);
    assertLogged(mesh(), "reviews-v1", "an AUDIT policy matched", rule("watched"), STRANGER);

    const to = mesh().host("reviews-v1").workload;
    const { code, stdout } = await mesh().cli(["authz", "check", "other/stranger", to, "--path", "/secret"]);
    assert.equal(code, 1);
    assert.match(stdout, /no-strangers/, "the simulator names the policy that the proxy names");
  });

  test("what a policy lets in is counted by that policy", async () => {
    await mesh().apply(POLICIES.join(""));
    await eventually("200", async () => (await mesh().call("caller", REVIEWS, "/open")).status === 200);
    await told(mesh(), "reviews-v1", [[rule("what-is-open"), "allowed", "true"]]);
  });

  test("a connection that is refused is closed without a word, and told to the operator with its policy", async () => {
    await mesh().apply(POLICIES.join(""));
    await eventually("no echo", async () => {
      const { app, echoed } = await mesh().tcpCall("stranger", STORE, "hello");
      return app === undefined && echoed === "";
    });
    assert.equal((await mesh().tcpCall("caller", STORE, "hello")).echoed, "hello");
    await told(mesh(), "store-v1", [
      [rule("no-strange-bytes"), "denied", "true"],
      [rule("tried-bytes"), "denied", "false"],
    ]);
    assertLogged(mesh(), "store-v1", "refused by policy", rule("no-strange-bytes"), STRANGER);
    assertLogged(mesh(), "store-v1", "a policy in dry run would refuse this", rule("tried-bytes"), CALLER);
  });
});
