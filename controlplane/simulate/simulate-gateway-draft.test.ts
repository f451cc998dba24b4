import assert from "node:assert/strict";
import { test } from "node:test";
import { type CountedCalls, httpCallKind, tcpCallKind } from "../../mesh/calls/call-kind.ts";
import { gatewaySecrets, gatewayWorkload } from "../../test/fakes/gateway-mesh.ts";
import { sampleState } from "../../test/fakes/sample-mesh.ts";
import { createTranslator } from "../translate/translator.ts";
import type { AuthzMesh } from "./authz.ts";
import { simulateDraft } from "./simulate-draft.ts";

const EDGE = gatewayWorkload();
const PEER = "spiffe://cluster.local/ns/default/sa/client";

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers:
    - { port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }
    - { port: { number: 8443, name: https, protocol: HTTPS }, hosts: [a.example.com], tls: { mode: SIMPLE, credentialName: a } }
    - { port: { number: 8443, name: others, protocol: HTTPS }, hosts: [b.example.com], tls: { mode: MUTUAL, credentialName: b } }
    - { port: { number: 9443, name: mesh, protocol: HTTPS }, hosts: ["*"], tls: { mode: ISTIO_MUTUAL } }
    - { port: { number: 7443, name: tls, protocol: TLS }, hosts: [c.example.com], tls: { mode: PASSTHROUGH } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec:
  hosts: [a.example.com, b.example.com]
  gateways: [edge]
  http: [{ match: [{ uri: { prefix: /orders } }], directResponse: { status: 200 } }]
---
${gatewaySecrets(["a"])}---
${gatewaySecrets(["b"], ["b-cacert"])}`;

const http = (port: number, path: string, host = "a.example.com", source = ""): CountedCalls => ({
  ...httpCallKind({ source, port, method: "GET", host, target: path, issuer: "", details: "" }),
  count: 1,
  firstSeenMs: 1,
  lastSeenMs: 2,
});

function draft(action: string, rule: string): string {
  return `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: draft }
spec: { selector: { matchLabels: { istio: ingressgateway } }, action: ${action}, rules: [${rule}] }
`;
}

const ORDERS = draft("DENY", "{ to: [{ operation: { paths: [/orders/*] } }] }");
const OF_A = draft("DENY", "{ to: [{ operation: { hosts: [a.example.com] } }] }");
const OF_PEER = draft(
  "DENY",
  `{ from: [{ source: { principals: ["cluster.local/ns/default/sa/client"] } }] }`,
);

for (const [name, policy, calls, want] of [
  ["a DENY that is for it", ORDERS, http(8080, "/orders/1"), "change"],
  ["a DENY that is for another path", ORDERS, http(8080, "/orders"), "none"],
  ["a DENY, over TLS that the gateway ends", ORDERS, http(8443, "/orders/1"), "change"],
  ["a DENY for its host", OF_A, http(8443, "/orders"), "change"],
  ["a DENY for another host", OF_A, http(8080, "/orders", "b.example.com"), "none"],
  ["a DENY that is for others, where no route is", ORDERS, http(8080, "/none"), "none"],
  ["a DENY that is for it, where no route is", draft("DENY", "{}"), http(8080, "/none"), "change"],
  [
    "an ALLOW for another caller",
    draft("ALLOW", "{ from: [{ source: { namespaces: [x] } }] }"),
    http(8080, "/orders"),
    "change",
  ],
  [
    "a DENY for a peer of the mesh, who is one",
    OF_PEER,
    http(9443, "/orders", "a.example.com", PEER),
    "change",
  ],
  [
    "a DENY for another peer of the mesh",
    OF_PEER,
    http(9443, "/orders", "a.example.com", `${PEER}2`),
    "none",
  ],
  [
    "a rule about addresses",
    draft("DENY", "{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }] }"),
    http(8080, "/orders"),
    "undecided",
  ],
  ["a client certificate of which nothing is known", draft("DENY", "{}"), http(9443, "/orders"), "undecided"],
  ["a port that is no server's", draft("DENY", "{}"), http(81, "/orders"), "undecided"],
  [
    "TLS that is passed on by a name that was not seen",
    draft("DENY", "{}"),
    { ...tcpCallKind({ source: "", port: 7443 }, ""), count: 1, firstSeenMs: 1, lastSeenMs: 2 },
    "undecided",
  ],
] as const) {
  test(`at a gateway, ${name}: ${want}`, async () => {
    const { changes, undecided } = await simulateDraft({
      before: meshOf(GATEWAY),
      after: meshOf(`${GATEWAY}${policy}`),
      isDrafted: (object) => object.name === "draft",
      history: [{ workload: EDGE, calls: [calls], leftOut: 0 }],
      nowMs: Date.UTC(2026, 0, 1),
      signal: new AbortController().signal,
    });
    const told = changes.map(({ before, after }) => [before.allowed, after.allowed]);
    assert.deepEqual(told, want === "change" ? [[true, false]] : []);
    assert.equal(undecided.length, want === "undecided" ? 1 : 0);
  });
}

function meshOf(yaml: string): AuthzMesh {
  const { snapshot, changed } = sampleState({ yaml, workloads: [EDGE] }).next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  return { snapshot, translator };
}
