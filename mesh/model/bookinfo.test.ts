import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDocuments } from "./parse-documents.ts";

const NETWORKING = "networking.istio.io/v1";
const SECURITY = "security.istio.io/v1";

interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

function virtualService(name: string, spec: object): Document {
  return {
    apiVersion: NETWORKING,
    kind: "VirtualService",
    metadata: { name },
    spec: { hosts: [name], ...spec },
  };
}

function destinationRule(host: string, versions: readonly string[], trafficPolicy?: object): Document {
  const subsets = versions.map((version) => ({ name: version, labels: { version } }));
  const policy = trafficPolicy === undefined ? {} : { trafficPolicy };
  return {
    apiVersion: NETWORKING,
    kind: "DestinationRule",
    metadata: { name: host },
    spec: { host, ...policy, subsets },
  };
}

function security(kind: string, name: string, spec: object): Document {
  return { apiVersion: SECURITY, kind, metadata: { name }, spec };
}

function to(host: string, subset: string, weight?: number): object {
  const destination = { host, subset };
  return weight === undefined ? { destination } : { destination, weight };
}

const JASON = [{ headers: { "end-user": { exact: "jason" } } }];
const VERSIONS: readonly (readonly [string, readonly string[]])[] = [
  ["productpage", ["v1"]],
  ["reviews", ["v1", "v2", "v3"]],
  ["ratings", ["v1", "v2", "v2-mysql", "v2-mysql-vm"]],
  ["details", ["v1", "v2"]],
];

function reviews(...route: readonly object[]): readonly Document[] {
  return [virtualService("reviews", { http: [{ route }] })];
}

function ratings(subset: string): readonly Document[] {
  return [
    ...reviews(to("reviews", "v3")),
    virtualService("ratings", { http: [{ route: [to("ratings", subset)] }] }),
  ];
}

/** Istio's bookinfo, each file in our own words, with the names that its documentation uses. */
const SETS: Readonly<Record<string, readonly Document[]>> = {
  "destination-rule-all": VERSIONS.map(([host, versions]) => destinationRule(host, versions)),
  "destination-rule-all-mtls": VERSIONS.map(([host, versions]) =>
    destinationRule(host, versions, { tls: { mode: "ISTIO_MUTUAL" } }),
  ),
  "destination-rule-reviews": [
    destinationRule("reviews", ["v1", "v2", "v3"], { loadBalancer: { simple: "RANDOM" } }),
  ],
  "virtual-service-all-v1": VERSIONS.map(([host]) =>
    virtualService(host, { http: [{ route: [to(host, "v1")] }] }),
  ),
  "virtual-service-reviews-test-v2": [
    virtualService("reviews", {
      http: [{ match: JASON, route: [to("reviews", "v2")] }, { route: [to("reviews", "v1")] }],
    }),
  ],
  "virtual-service-reviews-jason-v2-v3": [
    virtualService("reviews", {
      http: [{ match: JASON, route: [to("reviews", "v2")] }, { route: [to("reviews", "v3")] }],
    }),
  ],
  "virtual-service-reviews-80-20": reviews(to("reviews", "v1", 80), to("reviews", "v2", 20)),
  "virtual-service-reviews-90-10": reviews(to("reviews", "v1", 90), to("reviews", "v2", 10)),
  "virtual-service-reviews-50-v3": reviews(to("reviews", "v1", 50), to("reviews", "v3", 50)),
  "virtual-service-reviews-v2-v3": reviews(to("reviews", "v2", 50), to("reviews", "v3", 50)),
  "virtual-service-reviews-v3": reviews(to("reviews", "v3")),
  "virtual-service-ratings-test-delay": [
    virtualService("ratings", {
      http: [
        {
          match: JASON,
          fault: { delay: { percentage: { value: 100 }, fixedDelay: "7s" } },
          route: [to("ratings", "v1")],
        },
        { route: [to("ratings", "v1")] },
      ],
    }),
  ],
  "virtual-service-ratings-test-abort": [
    virtualService("ratings", {
      http: [
        {
          match: JASON,
          fault: { abort: { percentage: { value: 100 }, httpStatus: 500 } },
          route: [to("ratings", "v1")],
        },
        { route: [to("ratings", "v1")] },
      ],
    }),
  ],
  "fault-injection-details-v1": [
    virtualService("details", {
      http: [
        { fault: { abort: { httpStatus: 555, percentage: { value: 100 } } }, route: [to("details", "v1")] },
        { route: [to("details", "v1")] },
      ],
    }),
    destinationRule("details", ["v1"]),
  ],
  "virtual-service-details-v2": [virtualService("details", { http: [{ route: [to("details", "v2")] }] })],
  "egress-rule-google-apis": [
    {
      apiVersion: NETWORKING,
      kind: "ServiceEntry",
      metadata: { name: "googleapis" },
      spec: {
        hosts: ["www.googleapis.com"],
        ports: [
          { number: 80, name: "http", protocol: "HTTP" },
          { number: 443, name: "https", protocol: "HTTPS" },
        ],
        resolution: "DNS",
      },
    },
    {
      apiVersion: NETWORKING,
      kind: "VirtualService",
      metadata: { name: "rewrite-port-for-googleapis" },
      spec: {
        hosts: ["www.googleapis.com"],
        http: [
          {
            match: [{ port: 80 }],
            route: [{ destination: { host: "www.googleapis.com", port: { number: 443 } } }],
          },
        ],
      },
    },
    {
      apiVersion: NETWORKING,
      kind: "DestinationRule",
      metadata: { name: "originate-tls-for-googleapis" },
      spec: {
        host: "www.googleapis.com",
        trafficPolicy: {
          loadBalancer: { simple: "ROUND_ROBIN" },
          portLevelSettings: [{ port: { number: 443 }, tls: { mode: "SIMPLE" } }],
        },
      },
    },
  ],
  "virtual-service-ratings-db": ratings("v2"),
  "virtual-service-ratings-mysql": ratings("v2-mysql"),
  "virtual-service-ratings-mysql-vm": ratings("v2-mysql-vm"),
  "security tasks": [
    security("PeerAuthentication", "default", { mtls: { mode: "STRICT" } }),
    security("AuthorizationPolicy", "allow-nothing", {}),
    security("AuthorizationPolicy", "productpage-viewer", {
      selector: { matchLabels: { app: "productpage" } },
      action: "ALLOW",
      rules: [{ to: [{ operation: { methods: ["GET"] } }] }],
    }),
    security("AuthorizationPolicy", "ratings-viewer", {
      selector: { matchLabels: { app: "ratings" } },
      action: "ALLOW",
      rules: [
        {
          from: [{ source: { principals: ["cluster.local/ns/default/sa/bookinfo-reviews"] } }],
          to: [{ operation: { methods: ["GET"] } }],
        },
      ],
    }),
  ],
};

for (const [name, documents] of Object.entries(SETS)) {
  test(`bookinfo's ${name} is taken without a remark`, () => {
    const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
    const { objects, violations } = parseDocuments(text, { defaultNamespace: "default" });
    assert.deepEqual(violations, []);
    assert.deepEqual(
      objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    );
  });
}

for (const version of ["v1", "v1beta1", "v1alpha3"]) {
  test(`networking.istio.io/${version} is taken`, () => {
    const document = { ...virtualService("reviews", { http: [{ route: [to("reviews", "v1")] }] }) };
    const text = JSON.stringify({ ...document, apiVersion: `networking.istio.io/${version}` });
    const { objects, violations } = parseDocuments(text, { defaultNamespace: "default" });
    assert.deepEqual(violations, []);
    assert.equal(objects[0]?.apiVersion, `networking.istio.io/${version}`);
  });
}
