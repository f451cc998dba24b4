import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import { bookinfoWorkloads, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { createTranslator } from "../translate/translator.ts";
import { explainWith } from "./explain-workload.ts";

const yaml = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews-rule }
spec:
  host: reviews
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - name: canary
      match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - match: [{ uri: { prefix: /old } }, { uri: { exact: /older } }]
      redirect: { uri: /new }
    - match: [{ uri: { prefix: /gone } }]
      directResponse: { status: 410 }
    - route:
        - { destination: { host: reviews, subset: v1 }, weight: 80 }
        - { destination: { host: nowhere }, weight: 20 }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api }
spec:
  hosts: [api.test]
  ports: [{ number: 443, name: tls, protocol: TLS }]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside }
spec:
  hosts: ["*.outside.test"]
  ports: [{ number: 8443, name: tls, protocol: TLS }]
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: by-name, namespace: net }
spec:
  hosts: ["*.outside.test"]
  exportTo: ["*"]
  tls:
    - match: [{ sniHosts: [a.outside.test], sourceNamespace: shop }]
      route: [{ destination: { host: api.test } }]
    - match: [{ sniHosts: [a.outside.test, b.outside.test] }]
      route: [{ destination: { host: api.test } }]
    - match: [{ sniHosts: ["*.outside.test"] }]
      route: [{ destination: { host: "*.outside.test" } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: db }
spec:
  host: db.test
  subsets: [{ name: old, labels: { version: v1 } }, { name: new, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: db }
spec:
  hosts: [db.test]
  tcp:
    - match: [{ port: 1 }]
      route: [{ destination: { host: nowhere } }]
    - match: [{ destinationSubnets: [198.51.100.128/25] }]
      route: [{ destination: { host: ratingsdb } }]
    - match: [{ sourceLabels: { app: nobody } }]
      route: [{ destination: { host: db.test, subset: old } }]
    - route:
        - { destination: { host: db.test, subset: old }, weight: 75 }
        - { destination: { host: db.test, subset: new }, weight: 25 }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db }
spec:
  hosts: [db.test]
  addresses: [198.51.100.0/24]
  ports: [{ number: 5433, name: tcp, protocol: TCP }]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [{ address: 10.8.0.1, labels: { version: v1 } }, { address: 10.8.0.2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: any }
spec:
  hosts: [any.test]
  addresses: [198.51.101.1]
  ports: [{ number: 7000, name: any }]
  resolution: STATIC
  endpoints: [{ address: 10.8.0.3 }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: any }
spec:
  hosts: [any.test]
  http: [{ match: [{ uri: { prefix: /gone } }], directResponse: { status: 410 } }, { route: [{ destination: { host: any.test } }] }]
  tcp: [{ route: [{ destination: { host: ratingsdb } }] }]
`;

/** Productpage has declared upstreams, ratings is captured, details has neither. */
const workloads = bookinfoWorkloads().map((one) =>
  one.service === "ratings" ? { ...one, interception: "redirect" as const, discovery: "mesh" as const } : one,
);
const translator = createTranslator();
const { snapshot, changed } = sampleState({ yaml, workloads }).next();
translator.publish(snapshot, changed);

function explain(
  from: string,
  to: string,
  headers: readonly (readonly [string, string])[] = [],
): ExplainReply {
  const reply = explainWith(snapshot, translator, from, { to, method: "GET", headers });
  assert.ok(reply, "the workload is there");
  return reply;
}

/** `step: what < who decided it`, of the steps that are asked about; of filter chains where an object decided. */
function told({ steps }: ExplainReply, ...kinds: readonly string[]): readonly string[] {
  return steps
    .filter(({ step, object }) => kinds.includes(step) && (step !== "filter-chain" || object !== null))
    .map(({ step, name, object }) => {
      const who = object && `${object.kind} ${object.namespace}/${object.name} ${object.rule}`.trimEnd();
      return `${step}: ${name}${who === null ? "" : ` < ${who}`}`;
    });
}

const ENDS = ["connect", "filter-chain", "route", "cluster", "answer"];
const REVIEWS = "reviews.default.svc.cluster.local";

interface Case {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly want: readonly string[];
  readonly outcome: string;
}

const cases: readonly Case[] = [
  {
    name: "a declared upstream, and the only port of its service",
    from: "default/productpage-1",
    to: "http://reviews/x",
    want: [
      "connect: 127.0.0.1:9082",
      "route: #4 < VirtualService default/reviews http[3]",
      `cluster: outbound|9080|v1|${REVIEWS} < DestinationRule default/reviews-rule subset "v1"`,
      "cluster: BlackHoleCluster",
    ],
    outcome: "true forward: 80 % of the calls arrive",
  },
  {
    name: "a rule that is told by its name",
    from: "default/productpage-1",
    to: "http://reviews.default:9080/",
    headers: [["End-User", "jason"]],
    want: [
      "connect: 127.0.0.1:9082",
      'route: #0 canary < VirtualService default/reviews http[0] "canary"',
      `cluster: outbound|9080|v2|${REVIEWS} < DestinationRule default/reviews-rule subset "v2"`,
    ],
    outcome: "true forward: the call arrives",
  },
  {
    name: "a rule that is told by what it matches",
    from: "default/productpage-1",
    to: "http://reviews:9080/older?q",
    want: [
      "connect: 127.0.0.1:9082",
      "route: #1 < VirtualService default/reviews http[1]",
      "answer: redirect 301",
    ],
    outcome: "true redirect: is redirected to http://reviews:9080/new?q",
  },
  {
    name: "an answer that is an error",
    from: "default/productpage-1",
    to: "http://reviews:9080/gone",
    want: [
      "connect: 127.0.0.1:9082",
      "route: #3 < VirtualService default/reviews http[2]",
      "answer: response 410",
    ],
    outcome: "false respond: the proxy answers 410",
  },
  {
    name: "a TCP upstream",
    from: "default/productpage-1",
    to: "tcp://ratingsdb:5432",
    want: ["connect: 127.0.0.1:5432", "cluster: outbound|5432||ratingsdb.default.svc.cluster.local"],
    outcome: "true forward: the call arrives",
  },
  {
    name: "HTTP at a port of which nobody says what it speaks",
    from: "default/ratings-1",
    to: "http://any.test:7000/",
    want: [
      "connect: 198.51.101.1:7000",
      "route: #1 < VirtualService default/any http[1]",
      "cluster: outbound|7000||any.test",
    ],
    outcome: "true forward: the call arrives",
  },
  {
    name: "bytes at a port of which nobody says what it speaks",
    from: "default/ratings-1",
    to: "tcp://any.test:7000",
    want: [
      "connect: 198.51.101.1:7000",
      "filter-chain: #1 < VirtualService default/any tcp[0]",
      "cluster: outbound|5432||ratingsdb.default.svc.cluster.local",
    ],
    outcome: "true forward: the call arrives",
  },
  {
    name: "a rule of TCP that is told by where it leads",
    from: "default/ratings-1",
    to: "tcp://198.51.100.7:5433",
    want: [
      "connect: 198.51.100.7:5433",
      "filter-chain: #1 < VirtualService default/db tcp[3]",
      'cluster: outbound|5433|old|db.test < DestinationRule default/db subset "old"',
      'cluster: outbound|5433|new|db.test < DestinationRule default/db subset "new"',
    ],
    outcome: "true forward: the call arrives",
  },
  {
    name: "a rule of TCP that is told by the destination",
    from: "default/ratings-1",
    to: "tcp://198.51.100.200:5433",
    want: [
      "connect: 198.51.100.200:5433",
      "filter-chain: #0 < VirtualService default/db tcp[1]",
      "cluster: outbound|5432||ratingsdb.default.svc.cluster.local",
    ],
    outcome: "true forward: the call arrives",
  },
  {
    name: "a rule of TLS that is told by where it leads, as another asks for the same",
    from: "default/ratings-1",
    to: "tls://b.outside.test:8443",
    want: [
      "connect: 192.0.2.1:8443",
      "filter-chain: #0 < VirtualService net/by-name tls[1]",
      "cluster: outbound|443||api.test",
    ],
    outcome: "true forward: the call arrives",
  },
  {
    name: "a rule of TLS that is told by its wildcard",
    from: "default/ratings-1",
    to: "tls://c.outside.test:8443",
    want: [
      "connect: 192.0.2.1:8443",
      "filter-chain: #1 < VirtualService net/by-name tls[2]",
      "cluster: outbound|8443||*.outside.test",
    ],
    outcome: "true forward: the call arrives",
  },
  {
    name: "TLS that no rule is for",
    from: "default/ratings-1",
    to: "tls://outside.test:8443",
    want: ["connect: 192.0.2.1:8443", "cluster: PassthroughCluster"],
    outcome: "true passthrough: passes through to 192.0.2.1:8443",
  },
  {
    name: "no way",
    from: "default/details-1",
    to: "http://reviews:9080/",
    want: [],
    outcome: `false no-listener: default/details-1 has no way to reviews:9080: it declares no such upstream, no address of it is bound, and its traffic is not intercepted`,
  },
];

for (const { name, from, to, headers, want, outcome } of cases) {
  test(`explains ${name}`, () => {
    const reply = explain(from, to, headers);
    assert.deepEqual(told(reply, ...ENDS), want);
    const { arrives, kind, text } = reply.outcome;
    assert.equal(`${arrives} ${kind}: ${text}`, outcome);
  });
}

test("explains a captured call by its original destination", () => {
  const reply = explain("default/ratings-1", "http://reviews:9080/");
  const [connect, listener] = reply.steps;
  assert.equal(connect?.name, `${snapshot.services.get(REVIEWS)?.[0]?.addresses[0]}:9080`);
  assert.match(listener?.why ?? "", /handed on by virtualOutbound$/);
  assert.deepEqual(told(reply, "route"), ["route: #4 < VirtualService default/reviews http[3]"]);
});

test("explains a captured call to nobody as passing through", () => {
  const reply = explain("default/ratings-1", "http://other.test/");
  assert.deepEqual(reply.outcome, {
    arrives: true,
    kind: "passthrough",
    status: null,
    text: "passes through to 192.0.2.1:80",
  });
});

test("explains a call with TLS to a ServiceEntry", () => {
  const reply = explain("default/ratings-1", "https://api.test/");
  const [cluster] = reply.steps.filter(({ step }) => step === "cluster");
  assert.match(cluster?.why ?? "", /^STRICT_DNS, .*; ServiceEntry default\/api$/);
  assert.equal(reply.outcome.arrives, true);
});

test("says whose service a host is that two teams describe", () => {
  const described = (namespace: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: ${namespace} }
spec: { hosts: [api.test], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS }
`;
  const teams = ["shop", "bank"];
  const captured = { interception: "redirect", discovery: "mesh" } as const;
  const mesh = sampleState({
    yaml: teams.map(described).join("---"),
    workloads: [...teams, "other"].map((namespace) => workload("web", { ...captured, namespace })),
  }).next();
  const own = createTranslator();
  own.publish(mesh.snapshot, mesh.changed);
  for (const [from, entry] of [
    ["shop", "shop/api"],
    ["bank", "bank/api"],
    ["other", "shop/api"],
  ]) {
    const asked = { to: "http://api.test/", method: "GET", headers: [] };
    const reply = explainWith(mesh.snapshot, own, `${from}/web-1`, asked);
    const cluster = reply?.steps.find(({ step }) => step === "cluster");
    assert.match(cluster?.why ?? "", new RegExp(`; ServiceEntry ${entry}$`), from);
  }
});

test("tells how an endpoint is spoken to, and how a request is changed", () => {
  const reply = explain("default/productpage-1", "http://reviews/x", [["end-user", "jason"]]);
  const why = reply.steps.find(({ step }) => step === "endpoint")?.why ?? "";
  assert.match(why, /^priority 0, weight 1, healthy, TLS to outbound_\.9080_\.v2_\.reviews\./);
  const edits = reply.steps.filter(({ step }) => step === "edit").map(({ name }) => name);
  assert.deepEqual(edits, ["request", "timeout", "retries"]);
});

test("does not know another workload", () => {
  const asked = { to: "http://reviews/", method: "GET", headers: [] };
  assert.equal(explainWith(snapshot, translator, "default/nobody", asked), undefined);
});

for (const to of [
  "reviews",
  "ftp://x",
  "http://",
  "http://a:0/",
  "http://a:99999/",
  "tcp://db",
  "tcp://db:1/x",
  "http://u@a/",
]) {
  test(`refuses ${to}`, () => {
    assert.throws(() => explain("default/productpage-1", to), { code: "admin.request" });
  });
}
