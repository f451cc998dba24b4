import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { askAdmin } from "../../agent/dataplane/admin-client.ts";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import type { Reply } from "../harness/mesh-calls.ts";
import { authorizationPolicy } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

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
    logged(mesh(), "reviews-v1", "refused by policy", rule("no-strangers"), STRANGER, "/secret");
    logged(mesh(), "reviews-v1", "refused by policy", "none", CALLER, "/closed");
    logged(mesh(), "reviews-v1", "a policy in dry run would refuse this", rule("tried-deny"), STRANGER);
    logged(mesh(), "reviews-v1", "an AUDIT policy matched", rule("watched"), STRANGER);

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
    logged(mesh(), "store-v1", "refused by policy", rule("no-strange-bytes"), STRANGER);
    logged(mesh(), "store-v1", "a policy in dry run would refuse this", rule("tried-bytes"), CALLER);
  });
});

/** Waits until the host's metrics have these samples, on the built-in proxy or, for Envoy, on its agent. */
async function told(
  mesh: Mesh,
  host: string,
  samples: readonly (readonly [policy: string, result: string, enforced: string])[],
): Promise<void> {
  const { workload, runDir } = mesh.host(host);
  const ask = async (): Promise<string> =>
    mesh.dataPlane === "envoy"
      ? (await askAdmin(join(runDir, "agent.sock"), "/metrics")).body
      : await mesh.host(host).askProxy("/stats/prometheus");
  let text = "";
  for (const [policy, result, enforced] of samples) {
    const of = mesh.dataPlane === "envoy" ? `workload="${workload}",` : "";
    const labels = `${of}policy="${policy}",result="${result}",enforced="${enforced}"`;
    await eventually(`${policy} ${result}`, async () => {
      text = await ask();
      const line = text.split("\n").find((one) => one.startsWith(`lateen_policy_decisions_total{${labels}}`));
      return Number(line?.split(" ").at(-1) ?? 0) > 0;
    }).catch((error: unknown) => assert.fail(`${String(error)}\n${decisionsIn(text)}`));
  }
}

function decisionsIn(text: string): string {
  return text
    .split("\n")
    .filter((line) => line.startsWith("lateen_policy_decisions_total"))
    .join("\n");
}

/** The built-in proxy's lines are in those of its agent. */
function logged(mesh: Mesh, host: string, ...words: readonly string[]): void {
  const lines = mesh
    .host(host)
    .log.text.split("\n")
    .map((line) => line.replaceAll("\\", ""));
  const found = lines.some((line) => words.every((word) => line.includes(word)));
  assert.ok(found, `no line has ${words.join(", ")}:\n${lines.join("\n")}`);
}
