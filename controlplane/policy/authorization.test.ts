import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { authorizationPoliciesFor } from "./authorization.ts";

function policy(name: string, namespace: string, spec: string): string {
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${spec} }
---`;
}

test("policies of the root namespace and of the own one that select the workload all count, by action", () => {
  const yaml =
    policy("own", "default", "action: ALLOW") +
    policy("root", "istio-system", "action: DENY, rules: [{}]") +
    policy("selects", "default", "action: ALLOW, selector: { matchLabels: { app: web } }") +
    policy("others", "default", "action: ALLOW, selector: { matchLabels: { app: db } }") +
    policy("elsewhere", "shop", "action: ALLOW") +
    policy(
      "root-selects",
      "istio-system",
      "action: DENY, selector: { matchLabels: { app: web } }, rules: [{}]",
    );
  const view = viewOf(sampleState({ yaml }).next().snapshot);
  const found = authorizationPoliciesFor(view, { namespace: "default", labels: { app: "web" } });
  const names = (action: keyof typeof found): readonly string[] =>
    found[action].map(({ metadata }) => metadata.name);
  assert.deepEqual(names("ALLOW"), ["own", "selects"]);
  assert.deepEqual(names("DENY"), ["root", "root-selects"]);
  assert.deepEqual(names("CUSTOM"), []);
});

test("a workload of the root namespace has its policies once", () => {
  const view = viewOf(
    sampleState({ yaml: policy("root", "istio-system", "action: DENY, rules: [{}]") }).next().snapshot,
  );
  const found = authorizationPoliciesFor(view, { namespace: "istio-system", labels: {} });
  assert.equal(found.DENY.length, 1);
});
