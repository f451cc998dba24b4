import { parsedMatch, parsedRoute, routed, to } from "../../test/harness/http-route-specs.ts";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const DELEGATE = { name: "other", namespace: "shop" };
const ANY_L4 = {
  destinationSubnets: [],
  sourceSubnet: "",
  port: undefined,
  sourceLabels: {},
  sourceNamespace: "",
  gateways: [],
};

function tls(sniHosts: readonly unknown[], fields: object = {}): object {
  return {
    hosts: ["*.example.com"],
    tls: [{ match: [{ sniHosts }], route: [to("a.example.com")] }],
    ...fields,
  };
}

function claims(gateways: readonly string[]): object {
  const match = [{ headers: { "@request.auth.claims.sub": { exact: "a" } } }];
  return { ...routed({ match }), gateways };
}

const good: readonly GoodCase<"VirtualService">[] = [
  {
    name: "one destination takes everything",
    spec: { hosts: ["reviews"], http: [{ route: [to("reviews")] }] },
    want: { hosts: ["reviews"], gateways: [], http: [parsedRoute()], tcp: [], tls: [], exportTo: [] },
  },
  {
    name: "weighted TCP routes",
    spec: {
      hosts: ["mongo"],
      tcp: [
        {
          match: [
            {
              port: 27017,
              destinationSubnets: ["10.0.0.0/8", "fd00::1"],
              sourceSubnet: "10.1.0.0/16",
              sourceLabels: { app: "ratings" },
              sourceNamespace: "shop",
              gateways: ["mesh"],
            },
            { port: 0 },
          ],
          route: [
            { ...to("mongo", "v1"), weight: 3 },
            { ...to("mongo", "v2"), weight: 1 },
          ],
        },
      ],
    },
    want: {
      tcp: [
        {
          match: [
            {
              destinationSubnets: ["10.0.0.0/8", "fd00::1"],
              sourceSubnet: "10.1.0.0/16",
              port: 27017,
              sourceLabels: { app: "ratings" },
              sourceNamespace: "shop",
              gateways: ["mesh"],
            },
            ANY_L4,
          ],
          route: [
            { destination: { host: "mongo", subset: "v1", port: undefined }, weight: 3 },
            { destination: { host: "mongo", subset: "v2", port: undefined }, weight: 1 },
          ],
        },
      ],
    },
  },
  {
    name: "TLS routes by server name",
    spec: tls(["a.example.com", "*.example.com"]),
    want: {
      tls: [
        {
          match: [{ ...ANY_L4, sniHosts: ["a.example.com", "*.example.com"] }],
          route: [{ destination: { host: "a.example.com", subset: "", port: undefined }, weight: 100 }],
        },
      ],
    },
  },
  {
    name: "an IP address as a server name, which is told",
    spec: tls(["10.0.0.1"]),
    warnings: [["spec.tls[0].match[0].sniHosts[0]", "clients do not send"]],
  },
  {
    name: "a server name that Istio makes up, at a gateway",
    spec: tls(["outbound_.80_._.a.example.com"], { gateways: ["east-west"] }),
  },
  {
    name: "without hosts it is a delegate",
    spec: { http: [{ route: [to("reviews")] }] },
    want: { hosts: [], http: [parsedRoute()] },
  },
  {
    name: "a route that is handed over to a delegate",
    spec: { hosts: ["reviews"], http: [{ delegate: DELEGATE }, { delegate: { name: "near" } }] },
    want: {
      http: [
        parsedRoute({ route: [], delegate: DELEGATE }),
        parsedRoute({ route: [], delegate: { name: "near", namespace: "" } }),
      ],
    },
  },
  {
    name: "an IP address as host, and all hosts when it is for a gateway alone",
    spec: { hosts: ["10.0.0.1"], gateways: ["mesh"], http: [{ route: [to("reviews")] }] },
  },
  {
    name: "all hosts, when it is for a gateway alone",
    spec: { hosts: ["*"], gateways: ["istio-system/public"], http: [{ route: [to("reviews")] }] },
    want: { gateways: ["istio-system/public"] },
  },
  {
    name: "the old form of a gateway's name, which is told",
    spec: { ...routed({}), gateways: ["public.istio-system.svc.cluster.local"] },
    warnings: [["spec.gateways[0]", "write `istio-system/public`"]],
  },
  {
    name: "claims of a token at a gateway, with the case of their names",
    spec: claims(["public"]),
    want: {
      http: [
        parsedRoute({
          match: [parsedMatch({ headers: { "@request.auth.claims.sub": { kind: "exact", value: "a" } } })],
        }),
      ],
    },
  },
  {
    name: "unknown fields get a suggestion",
    spec: { ...routed({ timout: "2s", fnord: 1 }), export_to: ["."] },
    warnings: [
      ["spec.export_to", "unknown field (did you mean `exportTo`?)"],
      ["spec.http[0].timout", "unknown field (did you mean `timeout`?)"],
      ["spec.http[0].fnord", "unknown field"],
    ],
  },
];

const bad: readonly BadCase[] = [
  { name: "no spec", spec: undefined, errors: [["spec", "must have an http, tls or tcp route"]] },
  { name: "a spec that is a list", spec: [], errors: [["spec", "must be a mapping, not a list"]] },
  { name: "null", spec: null, errors: [["spec", "must not be null"]] },
  {
    name: "a delegate with what only its callers may have",
    spec: {
      gateways: ["public"],
      http: [{ delegate: DELEGATE }],
      tls: [{ match: [{ sniHosts: ["10.0.0.1"] }], route: [to("a")] }],
      tcp: [{ route: [to("a")] }],
    },
    errors: [
      ["spec.gateways", "must not be set in a delegate"],
      ["spec.tls", "must not be set in a delegate"],
      ["spec.tcp", "must not be set in a delegate"],
      ["spec.http[0].delegate", "must not be set in a delegate"],
    ],
  },
  {
    name: "hosts that are none",
    spec: { ...routed({}), hosts: ["a b", "a.*.com", "", 7, "-a", "a.123"] },
    errors: [
      ["spec.hosts[0]", "is not a host name"],
      ["spec.hosts[1]", "is not a host name"],
      ["spec.hosts[2]", "must not be empty"],
      ["spec.hosts[3]", "must be a string, not a number"],
      ["spec.hosts[4]", "is not a host name"],
      ["spec.hosts[5]", "is not a host name"],
    ],
  },
  {
    name: "all hosts of the mesh",
    spec: { ...routed({}), hosts: ["*"] },
    errors: [["spec.hosts[0]", "must not be `*`"]],
  },
  {
    name: "all hosts of the mesh and of a gateway",
    spec: { ...routed({}), hosts: ["*"], gateways: ["public", "mesh"] },
    errors: [["spec.hosts[0]", "must not be `*`"]],
  },
  {
    name: "hosts twice, or one in another",
    spec: { ...routed({}), hosts: ["a", "A", "b.example.com", "*.example.com", "*.com"] },
    errors: [
      ["spec.hosts[1]", "a second time"],
      ["spec.hosts[3]", 'overlaps with "b.example.com"'],
      ["spec.hosts[4]", 'overlaps with "*.example.com"'],
    ],
  },
  {
    name: "no route",
    spec: { hosts: ["reviews"] },
    errors: [["spec", "must have an http, tls or tcp route"]],
  },
  {
    name: "gateways that are none",
    spec: { ...routed({}), gateways: ["a/b/c", "A/b", "a/b.c", "", "/b"] },
    errors: [0, 1, 2, 3, 4].map(
      (index) => [`spec.gateways[${index}]`, index === 3 ? "empty" : "name of a gateway"] as const,
    ),
  },
  ...[[], ["mesh"], ["mesh", "public"]].map((gateways) => ({
    name: `claims of a token in the mesh (${gateways.join()})`,
    spec: claims(gateways),
    errors: [['spec.http[0].match[0].headers["@request.auth.claims.sub"]', "only gateways"] as const],
  })),
  {
    name: "TLS routes without server names, or for names of others",
    spec: {
      hosts: ["*.example.com"],
      tls: [
        { route: [to("a")] },
        { match: [{ sniHosts: [] }], route: [to("a")] },
        { match: [{ sniHosts: ["a.example.org"], destinationSubnets: ["10.0.0.0/33"] }], route: [] },
      ],
    },
    errors: [
      ["spec.tls[0].match", "is required"],
      ["spec.tls[1].match[0].sniHosts", "at least 1 entry"],
      ["spec.tls[2].match[0].destinationSubnets[0]", "is not an IP address or a CIDR range"],
      ["spec.tls[2].route", "at least 1 entry"],
    ],
  },
  {
    name: "server names that its hosts do not cover",
    spec: tls(["example.org", "*.com", "example.com"]),
    errors: [0, 1, 2].map(
      (index) => [`spec.tls[0].match[0].sniHosts[${index}]`, "not covered by the hosts"] as const,
    ),
  },
  {
    name: "TCP routes without destinations, with ports and subnets that are none",
    spec: {
      hosts: ["a"],
      tcp: [
        {},
        {
          match: [{ port: 65536, sourceSubnet: "10.0.0.0/", sourceLabels: { "a b": "c" }, gateways: ["A"] }],
          route: [{ destination: { host: "10.0.0.1" } }],
        },
      ],
    },
    errors: [
      ["spec.tcp[0].route", "is required"],
      ["spec.tcp[1].match[0].port", "at most 65535"],
      ["spec.tcp[1].match[0].sourceSubnet", "is not an IP address or a CIDR range"],
      ['spec.tcp[1].match[0].sourceLabels["a b"]', "is not a valid key"],
      ["spec.tcp[1].match[0].gateways[0]", "is not the name of a gateway"],
      ["spec.tcp[1].route[0].destination.host", "is not a host name"],
    ],
  },
  ...[
    { exportTo: ["*", "."], path: "spec.exportTo", message: "must stand alone" },
    { exportTo: ["a", "a"], path: "spec.exportTo", message: "twice" },
    { exportTo: ["Shop"], path: "spec.exportTo[0]", message: "name of a namespace" },
    { exportTo: ["~"], path: "spec.exportTo[0]", message: "name of a namespace" },
  ].map(({ exportTo, path, message }) => ({
    name: `exportTo ${exportTo.join()}`,
    spec: { ...routed({}), exportTo },
    errors: [[path, message] as const],
  })),
];

testKind("VirtualService", "networking.istio.io/v1", { good, bad });
