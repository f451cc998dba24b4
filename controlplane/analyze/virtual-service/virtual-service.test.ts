import assert from "node:assert/strict";
import { test } from "node:test";
import { analysisOf, object, service, testAnalysis } from "../../../test/harness/analysis.ts";

function routes(name: string, http: string, more = "hosts: [reviews]"): string {
  return object("VirtualService", name, `{ ${more}, http: ${http} }`);
}

function to(destination: string): string {
  return `route: [{ destination: { ${destination} } }]`;
}

const TWO_PORTS = "[{ number: 80, name: http, protocol: HTTP }, { number: 81, name: tcp, protocol: TCP }]";

const SUBSETS = object(
  "DestinationRule",
  "reviews",
  "{ host: reviews, subsets: [{ name: v1, labels: { version: v1 } }] }",
);

const GATEWAY = object(
  "Gateway",
  "edge",
  `{ servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["shop/*.example.com", "./*.local"] }] }`,
);

testAnalysis([
  {
    name: "a route to a service, a subset and a port that are there is fine",
    objects: [
      service("reviews"),
      SUBSETS,
      routes("reviews", `[{ ${to("host: reviews, subset: v1, port: { number: 9080 }")} }]`),
    ],
    want: [],
  },
  {
    name: "a destination in each of its spellings",
    objects: [
      service("reviews"),
      routes(
        "reviews",
        `[{ match: [{ uri: { prefix: /a } }], ${to("host: reviews.default.mesh")} }, { match: [{ uri: { prefix: /b } }], ${to("host: reviews.default")} }, { ${to("host: reviews.default.svc.cluster.local")} }]`,
      ),
    ],
    want: [],
  },
  {
    name: "a destination that is no service",
    objects: [service("reviews"), routes("reviews", `[{ ${to("host: reveiws")} }]`)],
    want: ["IST0101 VirtualService default/reviews: the host reveiws is no service"],
  },
  {
    name: "a destination that only a wildcard ServiceEntry covers is there",
    objects: [
      object(
        "ServiceEntry",
        "wild",
        `{ hosts: ["*.example.com"], resolution: NONE, ports: [{ number: 80, name: http, protocol: HTTP }] }`,
      ),
      routes("api", `[{ ${to("host: api.example.com")} }]`, "hosts: [api.example.com]"),
    ],
    want: [],
  },
  {
    name: "a mirror that is no service",
    objects: [
      service("reviews"),
      routes("reviews", `[{ ${to("host: reviews")}, mirror: { host: shadow } }]`),
    ],
    want: ["IST0101 VirtualService default/reviews: the mirror host shadow"],
  },
  {
    name: "TCP and TLS destinations are looked at too",
    objects: [
      service("reviews"),
      object("VirtualService", "tcp", `{ hosts: [a.example.com], tcp: [{ ${to("host: none")} }] }`),
      object(
        "VirtualService",
        "tls",
        `{ hosts: [b.example.com], tls: [{ match: [{ sniHosts: [b.example.com] }], ${to("host: none")} }] }`,
      ),
    ],
    want: ["IST0101 VirtualService default/tcp: host none", "IST0101 VirtualService default/tls: host none"],
  },
  {
    name: "a port that the service does not have",
    objects: [service("reviews"), routes("reviews", `[{ ${to("host: reviews, port: { number: 80 }")} }]`)],
    want: ["IST0101 VirtualService default/reviews: no port 80: it has 9080"],
  },
  {
    name: "several ports and none of them said",
    objects: [service("reviews", { ports: TWO_PORTS }), routes("reviews", `[{ ${to("host: reviews")} }]`)],
    want: ["IST0112 VirtualService default/reviews: 80, 81"],
  },
  {
    name: "a subset that no DestinationRule has",
    objects: [service("reviews"), SUBSETS, routes("reviews", `[{ ${to("host: reviews, subset: v2")} }]`)],
    want: ["IST0101 VirtualService default/reviews: a subset v2"],
  },
  {
    name: "a service that the VirtualService's namespace may not see",
    objects: [
      service("reviews", { more: `, exportTo: ["."]` }),
      object(
        "VirtualService",
        "far",
        `{ hosts: [far.example.com], http: [{ ${to("host: reviews.default.svc.cluster.local")} }] }`,
        "namespace: shop",
      ),
    ],
    want: ["LAT0008 VirtualService shop/far: not exported to namespace shop"],
  },
  {
    name: "a delegate that is not there",
    objects: [service("reviews"), routes("reviews", "[{ delegate: { name: other } }]")],
    want: ["IST0101 VirtualService default/reviews: no VirtualService default/other"],
  },
  {
    name: "a Gateway that is not there, and one that takes none of the hosts",
    objects: [
      service("reviews"),
      GATEWAY,
      routes("a", `[{ ${to("host: reviews")} }]`, "hosts: [a.example.com], gateways: [none]"),
      routes("b", `[{ ${to("host: reviews")} }]`, "hosts: [b.example.com], gateways: [mesh, edge]"),
      routes("c", `[{ ${to("host: reviews")} }]`, "hosts: [c.local], gateways: [default/edge]"),
      object(
        "VirtualService",
        "d",
        `{ hosts: [d.example.com], gateways: [default/edge], http: [{ ${to("host: reviews.default")} }] }`,
        "namespace: shop",
      ),
    ],
    want: [
      "IST0101 VirtualService default/a: no Gateway default/none",
      "IST0132 VirtualService default/b: no server of Gateway default/edge",
    ],
  },
  {
    name: "two VirtualServices for one host of the mesh, however it is spelled",
    objects: [
      service("reviews"),
      routes("a", `[{ ${to("host: reviews")} }]`),
      routes("b", `[{ ${to("host: reviews")} }]`, "hosts: [reviews.default.mesh]"),
    ],
    want: [
      "IST0109 VirtualService default/a: default/a, default/b are all for reviews.default.svc.cluster.local",
      "IST0109 VirtualService default/b: default/a, default/b",
    ],
  },
  {
    name: "two VirtualServices for one host that nobody sees together are fine",
    objects: [
      service("reviews"),
      routes("a", `[{ ${to("host: reviews")} }]`, `hosts: [a.example.com], exportTo: ["."]`),
      object(
        "VirtualService",
        "b",
        `{ hosts: [a.example.com], exportTo: ["."], http: [{ ${to("host: reviews.default")} }] }`,
        "namespace: shop",
      ),
      GATEWAY,
      routes("c", `[{ ${to("host: reviews")} }]`, "hosts: [c.local], gateways: [edge]"),
      routes("d", `[{ ${to("host: reviews")} }]`, "hosts: [c.local], gateways: [edge]"),
    ],
    want: [],
  },
  {
    name: "matches for which a wider one before them takes every call",
    objects: [
      service("reviews"),
      routes(
        "reviews",
        `[{ name: wide, match: [{ uri: { prefix: /a }, method: { exact: GET } }, { headers: { beta: {} } }], ${to("host: reviews")} }, { match: [{ uri: { prefix: /ab }, method: { exact: GET }, port: 80 }, { uri: { exact: /a/b } }, { headers: { beta: { exact: "1" } } }, { uri: { prefix: /ab }, method: { exact: PUT } }], ${to("host: reviews")} }]`,
      ),
    ],
    want: [
      `IST0131 VirtualService default/reviews: match #0 of rule #1 is never used: match #0 of rule "wide"`,
      `IST0131 VirtualService default/reviews: match #2 of rule #1 is never used: match #1 of rule "wide"`,
    ],
  },
  {
    name: "what a call must not have makes a match narrower, and what it may have of a list wider",
    objects: [
      service("reviews"),
      routes(
        "reviews",
        `[{ match: [{ withoutHeaders: { a: { prefix: x } } }, { sourceLabels: { app: web } }, { gateways: [mesh] }], ${to("host: reviews")} }, { match: [{ withoutHeaders: { a: {} } }, { uri: { exact: /1 } }, { sourceLabels: { app: web, version: v1 } }, { gateways: [edge] }], ${to("host: reviews")} }]`,
        "hosts: [a.example.com], gateways: [mesh, edge]",
      ),
      GATEWAY.replace("shop/*.example.com", "*/a.example.com"),
    ],
    want: [
      "IST0131 VirtualService default/reviews: match #0 of rule #1 is never used",
      "IST0131 VirtualService default/reviews: match #2 of rule #1 is never used",
    ],
  },
  {
    name: "rules behind one that takes everything, and matches that come twice",
    objects: [
      service("reviews"),
      routes(
        "reviews",
        `[{ match: [{ uri: { prefix: /a } }, { uri: { prefix: /b } }], ${to("host: reviews")} }, { name: again, match: [{ name: x, uri: { prefix: /a } }], ${to("host: reviews")} }, { match: [{ uri: { prefix: /b } }, { uri: { prefix: /c } }], ${to("host: reviews")} }, { ${to("host: reviews")} }, { match: [{ uri: { prefix: /d } }], ${to("host: reviews")} }]`,
      ),
    ],
    want: [
      `IST0130 VirtualService default/reviews: rule "again" is never used: rules before it have all`,
      "IST0130 VirtualService default/reviews: rule #4 is never used: rule #3 before it",
      `IST0131 VirtualService default/reviews: match #0 of rule "again" is that of rule #0`,
      "IST0131 VirtualService default/reviews: match #0 of rule #2 is that of rule #0",
    ],
  },
  {
    name: "a JWT's claim at a gateway where nobody verifies one",
    objects: [
      service("reviews"),
      GATEWAY,
      routes(
        "c",
        `[{ match: [{ headers: { "@request.auth.claims.group": { exact: admin } } }], ${to("host: reviews")} }]`,
        "hosts: [c.local], gateways: [edge]",
      ),
    ],
    want: ["IST0149 VirtualService default/c: @request.auth.claims.group"],
  },
  {
    name: "a JWT's claim at a gateway whose workloads verify one",
    objects: [
      service("reviews"),
      GATEWAY,
      object("RequestAuthentication", "tokens", "{ jwtRules: [{ issuer: a }] }").replace(
        "networking.istio.io",
        "security.istio.io",
      ),
      routes(
        "c",
        `[{ match: [{ headers: { "@request.auth.claims.group": { exact: admin } } }], ${to("host: reviews")} }]`,
        "hosts: [c.local], gateways: [edge]",
      ),
    ],
    want: [],
  },
]);

test("a message has the line of the field that it is about", () => {
  const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: { host: reviews }
          weight: 90
        - destination:
            host: none
          weight: 10
      mirrors:
        - destination: { host: gone }
`;
  const lines = analysisOf([text, service("reviews")]).map(({ line, file }) => `${file}:${line}`);
  assert.deepEqual(lines, ["mesh.yaml:11", "mesh.yaml:14"]);
});
