import assert from "node:assert/strict";
import { test } from "node:test";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { bookinfoWorkloads, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { Memo } from "../memo.ts";
import { destinationsOf, routedHost } from "./routed-host.ts";

const SUFFIX = "default.svc.cluster.local";

const yaml = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ uri: { prefix: /a } }]
      mirror: { host: ratings }
      route:
        - { destination: { host: reviews, subset: v1 }, weight: 1 }
        - { destination: { host: reviews, subset: v2 }, weight: 0 }
        - { destination: { host: nothing }, weight: 1 }
    - match: [{ uri: { prefix: /b } }]
      route: [{ destination: { host: reviews, subset: v1 } }]
    - redirect: { uri: /c }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ratingsdb }
spec: { hosts: [ratingsdb], tcp: [{ route: [{ destination: { host: details } }] }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, subsets: [{ name: v1 }, { name: v2 }] }
`;

const cases: readonly {
  readonly host: string;
  readonly port: number;
  readonly want: readonly string[];
}[] = [
  { host: "reviews", port: 9080, want: ["ratings 9080 ", "reviews 9080 v1"] },
  { host: "details", port: 9080, want: ["details 9080 "] },
  { host: "ratingsdb", port: 5432, want: ["details 9080 "] },
  { host: "ratings", port: 1, want: [] },
  { host: "nothing", port: 9080, want: [] },
];
for (const { host, port, want } of cases) {
  test(`calls to ${host}:${port} lead to ${want.join(" and ") || "nothing"}`, () => {
    const { snapshot } = sampleState({ yaml, workloads: bookinfoWorkloads() }).next();
    const { value } = inScope(snapshot, (scope) =>
      destinationsOf(scope, client(), `${host}.${SUFFIX}`, port),
    );
    const places = value.map(
      ({ hostname, port: number, subset }) => `${hostname.split(".")[0]} ${number} ${subset}`,
    );
    assert.deepEqual(places.sort(), want);
  });
}

test("clients that routing does not tell apart share a virtual host; others have their own", () => {
  const memo = new Memo(sampleState({ yaml, workloads: bookinfoWorkloads() }).next().snapshot);
  const of = (over: Parameters<typeof client>[0]) =>
    memo.root(JSON.stringify(over), (scope) => routedHost(scope, client(over), `reviews.${SUFFIX}`, 9080));
  assert.equal(of({ locality: "eu/a", network: "one" }), of({ locality: "us/b" }));
  assert.notEqual(of({ namespace: "shop" }), of({}));
  assert.notEqual(of({ labels: { app: "web" } }), of({}));
});
