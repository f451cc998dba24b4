import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { objects, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { settledObjects } from "./settled.ts";

const to = (host: string, more = ""): string => `{ route: [{ destination: { host: ${host}${more} } }] }`;

function routes(http: string): StoredObject {
  const [object] = objects(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [${http}] }
`);
  assert.ok(object);
  return object;
}

/** A service that only its own namespace sees. */
const PRIVATE = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: private, namespace: shop }
spec: { hosts: [private.example.com], exportTo: ["."], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS }
---
`;

const SUBSETS = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, subsets: [{ name: v1 }], workloadSelector: { matchLabels: { app: web } } }
`;

const cases: readonly {
  readonly name: string;
  readonly newest: string;
  readonly kept?: string;
  readonly workloads?: readonly string[];
  readonly staying?: boolean;
  readonly want: boolean;
}[] = [
  { name: "all destinations exist", newest: to("details"), kept: to("reviews"), want: true },
  { name: "nothing was kept and all exist", newest: to("details"), want: true },
  { name: "one is missing", newest: `${to("details")}, ${to("nothing")}`, kept: to("reviews"), want: false },
  { name: "one is missing and nothing was kept", newest: to("nothing"), want: false },
  { name: "what it delegates to is missing", newest: "{ delegate: { name: gone } }", want: false },
  {
    name: "a mirror is missing",
    newest: "{ mirror: { host: nothing }, route: [{ destination: { host: details } }] }",
    want: false,
  },
  {
    name: "what is missing gets no calls",
    newest:
      "{ route: [{ destination: { host: details }, weight: 1 }, { destination: { host: nothing }, weight: 0 }] }",
    want: true,
  },
  {
    name: "it leads nowhere by intention",
    newest: "{ directResponse: { status: 404 } }",
    kept: to("details"),
    want: true,
  },
  { name: "there is nobody to see it", newest: to("details"), workloads: [], want: false },
  {
    name: "a workload has the kept one",
    newest: to("details"),
    kept: to("reviews"),
    staying: true,
    want: false,
  },
  {
    name: "it suits those that the kept one suits",
    newest: to("private.example.com"),
    kept: to("nothing"),
    want: true,
  },
  {
    name: "the kept one suits others too",
    newest: to("private.example.com"),
    kept: to("details"),
    want: false,
  },
  { name: "a subset is defined for some", newest: to("reviews", ", subset: v1"), want: true },
  { name: "a subset is defined for nobody", newest: to("reviews", ", subset: v2"), want: false },
];
for (const { name, newest, kept, workloads = ["default", "shop"], staying = false, want } of cases) {
  test(`a revision is ${want ? "" : "not "}settled when ${name}`, () => {
    const state = sampleState({
      yaml: PRIVATE + SUBSETS,
      workloads: workloads.flatMap((namespace) =>
        ["reviews", "details", "web"].map((service) => workload(service, { namespace })),
      ),
    });
    const object = routes(newest);
    const warnings = staying ? [{ subject: keyOf(object), message: "", inForce: 1 }] : [];
    const unsettled = [{ object, kept: kept === undefined ? undefined : routes(kept) }];
    assert.equal(settledObjects(state.next().snapshot, unsettled, warnings).includes(object), want);
  });
}
