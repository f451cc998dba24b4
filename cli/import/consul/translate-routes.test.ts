import assert from "node:assert/strict";
import { test } from "node:test";
import { translated } from "./testing/translated.ts";

const NO_RETRIES = { retries: { attempts: 0 } };
const API = { destination: { host: "api" } };

/** A route of a service-router, and the HTTPRoute that it becomes. */
const ROUTES: readonly (readonly [name: string, route: object, want: object])[] = [
  ["an exact path", { Match: { HTTP: { PathExact: "/a" } } }, { match: [{ uri: { exact: "/a" } }] }],
  ["a prefix", { Match: { HTTP: { PathPrefix: "/a" } } }, { match: [{ uri: { prefix: "/a" } }] }],
  [
    "a regular expression",
    { Match: { HTTP: { PathRegex: "/a.*z" } } },
    { match: [{ uri: { regex: "/a.*z" } }] },
  ],
  [
    "a path in any case",
    { Match: { HTTP: { PathPrefix: "/a", CaseInsensitive: true } } },
    { match: [{ uri: { prefix: "/a" }, ignoreUriCase: true }] },
  ],
  ["one method", { Match: { HTTP: { Methods: ["GET"] } } }, { match: [{ method: { exact: "GET" } }] }],
  [
    "methods",
    { Match: { HTTP: { Methods: ["GET", "PUT"] } } },
    { match: [{ method: { regex: "GET|PUT" } }] },
  ],
  [
    "headers",
    {
      Match: {
        HTTP: {
          Header: [
            { Name: "X-A", Exact: "1" },
            { Name: "x-b", Prefix: "2" },
            { Name: "x-c", Suffix: ".3" },
            { Name: "x-d", Regex: "4+" },
            { Name: "x-e", Present: true },
          ],
        },
      },
    },
    {
      match: [
        {
          headers: {
            "x-a": { exact: "1" },
            "x-b": { prefix: "2" },
            "x-c": { regex: ".*\\.3" },
            "x-d": { regex: "4+" },
            "x-e": {},
          },
        },
      ],
    },
  ],
  [
    "a header that must not be so",
    { Match: { HTTP: { Header: [{ Name: "x-a", Exact: "1", Invert: true }] } } },
    { match: [{ withoutHeaders: { "x-a": { exact: "1" } } }] },
  ],
  [
    "query parameters",
    {
      Match: {
        HTTP: {
          QueryParam: [
            { Name: "a", Exact: "1" },
            { Name: "b", Present: true },
            { Name: "c", Regex: "x+" },
          ],
        },
      },
    },
    { match: [{ queryParams: { a: { exact: "1" }, b: {}, c: { regex: "x+" } } }] },
  ],
  [
    "another service, a rewrite and a time-out",
    {
      Match: { HTTP: { PathPrefix: "/b" } },
      Destination: { Service: "web", ServiceSubset: "v2", PrefixRewrite: "/", RequestTimeout: "5s" },
    },
    {
      match: [{ uri: { prefix: "/b" } }],
      rewrite: { uri: "/" },
      route: [{ destination: { host: "web", subset: "v2" } }],
      timeout: "5s",
    },
  ],
  [
    "retries",
    {
      Destination: {
        NumRetries: 3,
        RetryOnConnectFailure: true,
        RetryOn: ["reset"],
        RetryOnStatusCodes: [503],
      },
    },
    { retries: { attempts: 3, retryOn: "connect-failure,reset,503" } },
  ],
  ["retries on nothing, which Consul's are", { Destination: { NumRetries: 3 } }, {}],
  [
    "edits of headers",
    {
      Destination: {
        RequestHeaders: { Set: { a: "1" }, Remove: ["b"] },
        ResponseHeaders: { Add: { c: "2" } },
      },
    },
    { headers: { request: { set: { a: "1" }, remove: ["b"] }, response: { add: { c: "2" } } } },
  ],
];

for (const [name, route, want] of ROUTES) {
  test(`service-router: ${name}`, () => {
    const { specs, losses } = translated([{ Kind: "service-router", Name: "api", Routes: [route] }]);
    assert.deepEqual(losses, []);
    const rest = { route: [API], ...NO_RETRIES };
    assert.deepEqual(specs, {
      "VirtualService shop/api": { hosts: ["api"], http: [{ route: [API], ...NO_RETRIES, ...want }, rest] },
    });
  });
}

test("service-router: a match that asks twice for one header is left out and told", () => {
  const Header = [
    { Name: "x-a", Prefix: "1" },
    { Name: "x-a", Suffix: "2" },
  ];
  const { specs, losses } = translated([
    { Kind: "service-router", Name: "api", Routes: [{ Match: { HTTP: { Header } } }] },
  ]);
  assert.deepEqual(specs, {
    "VirtualService shop/api": { hosts: ["api"], http: [{ route: [API], ...NO_RETRIES }] },
  });
  assert.deepEqual(
    losses.map(({ field }) => field),
    ["Routes[].Match.HTTP.Header[].Name"],
  );
});

/** The destinations of the VirtualService `api`. */
function routeTo(entries: readonly Readonly<Record<string, unknown>>[]): unknown {
  const { specs } = translated(entries);
  const { http } = specs["VirtualService shop/api"] as {
    readonly http: readonly { readonly route: unknown }[];
  };
  return http.at(-1)?.route;
}

test("service-splitter: weights, headers of each split, and splitters of other services followed", () => {
  const api = {
    Kind: "service-splitter",
    Name: "api",
    Splits: [
      { Weight: 90, ServiceSubset: "v1", RequestHeaders: { Set: { "x-split": "a" } } },
      { Weight: 10, Service: "next" },
    ],
  };
  const next = {
    Kind: "service-splitter",
    Name: "next",
    Splits: [
      { Weight: 50, Service: "x" },
      { Weight: 50, ServiceSubset: "v2" },
    ],
  };
  const subsets = { Kind: "service-resolver", Name: "next", Subsets: { v2: {} } };
  assert.deepEqual(routeTo([api, next, subsets]), [
    {
      destination: { host: "api", subset: "v1" },
      weight: 90,
      headers: { request: { set: { "x-split": "a" } } },
    },
    { destination: { host: "x" }, weight: 5 },
    { destination: { host: "next", subset: "v2" }, weight: 5 },
  ]);
});

test("service-splitter: parts of a per cent are kept", () => {
  const Splits = [
    { Weight: 99.95, Service: "api" },
    { Weight: 0.05, Service: "web" },
  ];
  assert.deepEqual(routeTo([{ Kind: "service-splitter", Name: "api", Splits }]), [
    { destination: { host: "api" }, weight: 9995 },
    { destination: { host: "web" }, weight: 5 },
  ]);
});

test("service-resolver: a redirect is followed to its end, with the default subset there, for TCP too", () => {
  const { specs } = translated([
    { Kind: "service-resolver", Name: "api", Redirect: { Service: "web" } },
    { Kind: "service-resolver", Name: "web", Redirect: { Service: "new" } },
    {
      Kind: "service-resolver",
      Name: "new",
      DefaultSubset: "v1",
      Subsets: { v1: { Filter: "Service.Meta.version == v1" } },
    },
  ]);
  const route = [{ destination: { host: "new", subset: "v1" } }];
  const spec = { http: [{ route, ...NO_RETRIES }], tcp: [{ route }] };
  assert.deepEqual(specs, {
    "VirtualService shop/api": { hosts: ["api"], ...spec },
    "VirtualService shop/web": { hosts: ["web"], ...spec },
    "VirtualService shop/new": { hosts: ["new"], ...spec },
    "DestinationRule shop/new": { host: "new", subsets: [{ name: "v1", labels: { version: "v1" } }] },
  });
});

test("service-resolver: redirects in a circle come to an end", () => {
  const { specs } = translated([
    { Kind: "service-resolver", Name: "a", Redirect: { Service: "b" } },
    { Kind: "service-resolver", Name: "b", Redirect: { Service: "a" } },
  ]);
  assert.deepEqual(Object.keys(specs), ["VirtualService shop/a", "VirtualService shop/b"]);
});

const GATEWAY = {
  Kind: "ingress-gateway",
  Name: "edge",
  Listeners: [
    {
      Port: 8080,
      Protocol: "http",
      Services: [
        { Name: "api", Hosts: ["api.example.com"], RequestHeaders: { Set: { a: "1" } } },
        { Name: "web" },
      ],
    },
    { Port: 5432, Protocol: "tcp", Services: [{ Name: "db" }] },
    { Port: 9000, Protocol: "http", Services: [{ Name: "*" }] },
  ],
};

test("ingress-gateway: a server for each listener, a VirtualService for each service, with its router's routes", () => {
  const Routes = [
    { Match: { HTTP: { PathPrefix: "/a" } }, Destination: { RequestHeaders: { Set: { b: "2" } } } },
  ];
  const { specs, losses } = translated([GATEWAY, { Kind: "service-router", Name: "api", Routes }]);
  assert.deepEqual(specs["Gateway shop/edge"], {
    selector: { app: "edge" },
    servers: [
      {
        port: { number: 8080, name: "http-8080", protocol: "HTTP" },
        hosts: ["./api.example.com", "./web.ingress.consul"],
      },
      { port: { number: 5432, name: "tcp-5432", protocol: "TCP" }, hosts: ["*"] },
    ],
  });
  assert.deepEqual(specs["VirtualService shop/edge-8080-api"], {
    hosts: ["api.example.com"],
    gateways: ["edge"],
    http: [
      {
        match: [{ uri: { prefix: "/a" }, port: 8080 }],
        route: [API],
        ...NO_RETRIES,
        headers: { request: { set: { a: "1", b: "2" } } },
      },
      { match: [{ port: 8080 }], route: [API], ...NO_RETRIES, headers: { request: { set: { a: "1" } } } },
    ],
  });
  assert.deepEqual(specs["VirtualService shop/edge-5432-db"], {
    hosts: ["*"],
    gateways: ["edge"],
    tcp: [{ match: [{ port: 5432 }], route: [{ destination: { host: "db" } }] }],
  });
  assert.deepEqual(
    losses.map(({ field }) => field),
    ["Listeners[].Services[].Name", ""],
  );
});

test("ingress-gateway: TLS needs a Secret in the place of Consul's certificate", () => {
  const Listeners = [{ Port: 8443, Protocol: "http", Services: [{ Name: "api", Hosts: ["a.example.com"] }] }];
  const { specs, losses } = translated([
    { Kind: "ingress-gateway", Name: "edge", TLS: { Enabled: true }, Listeners },
  ]);
  const { servers } = specs["Gateway shop/edge"] as { readonly servers: readonly unknown[] };
  assert.deepEqual(servers, [
    {
      port: { number: 8443, name: "http-8443", protocol: "HTTPS" },
      hosts: ["./a.example.com"],
      tls: { mode: "SIMPLE", credentialName: "edge-certificate" },
    },
  ]);
  assert.ok(
    losses.some(({ field, meaning }) => field === "TLS.Enabled" && meaning.includes("edge-certificate")),
  );
});
