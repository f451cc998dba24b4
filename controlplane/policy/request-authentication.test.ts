import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { jwtRulesFor } from "./request-authentication.ts";

function authentication(name: string, namespace: string, selector: string, ...issuers: string[]): string {
  return `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: ${name}, namespace: ${namespace} }
spec: { selector: { matchLabels: ${selector} }, jwtRules: [${issuers.map((issuer) => `{ issuer: ${issuer} }`).join(", ")}] }
`;
}

const yaml = [
  authentication("a", "default", "{ app: web }", "z", "m"),
  authentication("b", "istio-system", "{}", "n"),
  authentication("c", "default", "{}", "m"),
  authentication("d", "default", "{ app: db }", "x"),
  authentication("e", "other", "{}", "y"),
].join("---");

const cases: readonly (readonly [namespace: string, app: string, want: readonly string[]])[] = [
  ["default", "web", ["m a", "m c", "n b", "z a"]],
  ["default", "db", ["m c", "n b", "x d"]],
  ["default", "else", ["m c", "n b"]],
  ["other", "web", ["n b", "y e"]],
  ["empty", "web", ["n b"]],
];
for (const [namespace, app, want] of cases) {
  test(`${app} in ${namespace} takes the tokens of ${want.join(", ")}`, () => {
    const view = viewOf(sampleState({ yaml }).next().snapshot);
    const rules = jwtRulesFor(view, { namespace, labels: { app } });
    assert.deepEqual(
      rules.map(({ subject, rule }) => `${rule.issuer} ${subject.split("/").at(-1)}`),
      want,
    );
  });
}
