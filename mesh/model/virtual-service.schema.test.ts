import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type { HttpRoute } from "./virtual-service.ts";

const NO_EDITS = { set: {}, add: {}, remove: [] };
const NO_HEADERS = { request: NO_EDITS, response: NO_EDITS };

function to(host: string, subset?: string): { destination: { host: string; subset?: string } } {
  return { destination: subset === undefined ? { host } : { host, subset } };
}

/** A VirtualService for `reviews` whose only route has these fields; by default it goes to `reviews`. */
function routed(route: object): object {
  return { hosts: ["reviews"], http: [{ route: [to("reviews")], ...route }] };
}

/** The same with an action other than a route. */
function answered(route: object): object {
  return { hosts: ["reviews"], http: [route] };
}

const plainRoute: HttpRoute = {
  name: "",
  match: [],
  route: [
    {
      destination: { host: "reviews", subset: "", port: undefined },
      weight: 100,
      headers: NO_HEADERS,
    },
  ],
  redirect: undefined,
  directResponse: undefined,
  rewrite: undefined,
  timeoutMs: undefined,
  retries: undefined,
  fault: undefined,
  headers: NO_HEADERS,
};

const good: readonly GoodCase<"VirtualService">[] = [
  {
    name: "one destination takes everything",
    spec: { hosts: ["reviews"], http: [{ route: [to("reviews")] }] },
    want: { hosts: ["reviews"], gateways: [], http: [plainRoute], tcp: [], tls: [], exportTo: [] },
  },
  {
    name: "durations become milliseconds",
    spec: routed({
      timeout: "1m30s",
      retries: { attempts: 3, perTryTimeout: "500ms", retryOn: "5xx,connect-failure,503" },
    }),
    want: {
      http: [
        {
          ...plainRoute,
          timeoutMs: 90_000,
          retries: { attempts: 3, perTryTimeoutMs: 500, retryOn: "5xx,connect-failure,503" },
        },
      ],
    },
  },
  {
    name: "a timeout of 0s turns it off",
    spec: routed({ timeout: "0s" }),
    want: { http: [{ ...plainRoute, timeoutMs: 0 }] },
  },
  {
    name: "every part of a match",
    spec: routed({
      match: [
        {
          name: "all",
          uri: { prefix: "/reviews" },
          ignoreUriCase: true,
          scheme: { exact: "http" },
          method: { regex: "GET|HEAD" },
          authority: { exact: "reviews" },
          headers: { "End-User": { exact: "jason" }, cookie: { regex: "*" }, accept: {} },
          withoutHeaders: { "x-debug": { prefix: "on" } },
          queryParams: { page: { regex: "\\d+" } },
          port: 9080,
          sourceLabels: { app: "productpage" },
          sourceNamespace: "shop",
          gateways: ["mesh"],
        },
      ],
    }),
    want: {
      http: [
        {
          ...plainRoute,
          match: [
            {
              name: "all",
              uri: { kind: "prefix", value: "/reviews" },
              ignoreUriCase: true,
              scheme: { kind: "exact", value: "http" },
              method: { kind: "regex", value: "GET|HEAD" },
              authority: { kind: "exact", value: "reviews" },
              headers: {
                "end-user": { kind: "exact", value: "jason" },
                cookie: { kind: "present" },
                accept: { kind: "present" },
              },
              withoutHeaders: { "x-debug": { kind: "prefix", value: "on" } },
              queryParams: { page: { kind: "regex", value: "\\d+" } },
              port: 9080,
              sourceLabels: { app: "productpage" },
              sourceNamespace: "shop",
              gateways: ["mesh"],
            },
          ],
        },
      ],
    },
  },
  {
    name: "a redirect",
    spec: answered({ redirect: { uri: "/v2", authority: "new.example.com" } }),
    want: {
      http: [
        {
          ...plainRoute,
          route: [],
          redirect: { uri: "/v2", authority: "new.example.com", scheme: "", port: undefined, code: 301 },
        },
      ],
    },
  },
  {
    name: "a direct response, its body as base64",
    spec: answered({ directResponse: { status: 503, body: { bytes: "c29ycnk=" } } }),
    want: { http: [{ ...plainRoute, route: [], directResponse: { status: 503, body: "sorry" } }] },
  },
  {
    name: "a delay and an abort, with the old percent and a fraction",
    spec: routed({
      fault: {
        delay: { fixedDelay: "7s", percent: 10 },
        abort: { httpStatus: 555, percentage: { value: 0.1 } },
      },
    }),
    want: {
      http: [
        {
          ...plainRoute,
          fault: {
            delay: { fixedDelayMs: 7000, percent: 10 },
            abort: { percent: 0.1, httpStatus: 555, grpcStatus: undefined },
          },
        },
      ],
    },
  },
  {
    name: "a fault without a percentage applies to nothing, and says so",
    spec: routed({ fault: { delay: { fixedDelay: "7s" } } }),
    want: {
      http: [{ ...plainRoute, fault: { delay: { fixedDelayMs: 7000, percent: 0 }, abort: undefined } }],
    },
    warnings: [["spec.http[0].fault.delay", "no percentage"]],
  },
  {
    name: "header operations may set the authority of a request",
    spec: routed({
      headers: {
        request: { set: { Host: "a", "x-mesh": "lateen" }, remove: ["cookie"] },
        response: { add: { "x-served-by": "reviews" } },
      },
    }),
    want: {
      http: [
        {
          ...plainRoute,
          headers: {
            request: { set: { Host: "a", "x-mesh": "lateen" }, add: {}, remove: ["cookie"] },
            response: { set: {}, add: { "x-served-by": "reviews" }, remove: [] },
          },
        },
      ],
    },
  },
  {
    name: "weighted TCP routes",
    spec: {
      hosts: ["mongo"],
      tcp: [
        {
          match: [{ port: 27017, destinationSubnets: ["10.0.0.0/8"], sourceLabels: { app: "ratings" } }],
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
              destinationSubnets: ["10.0.0.0/8"],
              port: 27017,
              sourceLabels: { app: "ratings" },
              sourceNamespace: "",
              gateways: [],
            },
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
    name: "TLS routes are read and not in force yet",
    spec: {
      hosts: ["*.example.com"],
      tls: [{ match: [{ sniHosts: ["a.example.com"] }], route: [to("a.example.com")] }],
    },
    warnings: [["spec.tls", "not in force yet"]],
  },
  {
    name: "what is not translated yet is told field by field",
    spec: routed({
      mirror: { host: "reviews" },
      corsPolicy: { allowOrigins: [{ exact: "*" }] },
      match: [{ statPrefix: "x" }],
    }),
    warnings: [
      ["spec.http[0].mirror", "accepted but not in force yet"],
      ["spec.http[0].corsPolicy", "accepted but not in force yet"],
      ["spec.http[0].match[0].statPrefix", "accepted but not in force yet"],
    ],
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
  {
    name: "gateways beside the mesh are not in force yet",
    spec: { ...routed({}), gateways: ["mesh", "istio-system/public"] },
    warnings: [["spec.gateways[1]", "not in force yet"]],
  },
  {
    name: "an IP address as host, and all hosts when it is for a gateway alone",
    spec: { hosts: ["10.0.0.1", "*"], gateways: ["public"], http: [{ route: [to("reviews")] }] },
    warnings: [["spec.gateways[0]", "not in force yet"]],
  },
];

const bad: readonly BadCase[] = [
  {
    name: "no spec",
    spec: undefined,
    errors: [
      ["spec.hosts", "is required"],
      ["spec", "must have an http"],
    ],
  },
  { name: "a spec that is a list", spec: [], errors: [["spec", "must be a mapping, not a list"]] },
  { name: "null", spec: null, errors: [["spec", "must not be null"]] },
  { name: "no host", spec: { ...routed({}), hosts: [] }, errors: [["spec.hosts", "at least 1 entry"]] },
  {
    name: "hosts that are none",
    spec: { ...routed({}), hosts: ["a b", "a.*.com", "", 7, "-a"] },
    errors: [
      ["spec.hosts[0]", "is not a host name"],
      ["spec.hosts[1]", "is not a host name"],
      ["spec.hosts[2]", "must not be empty"],
      ["spec.hosts[3]", "must be a string, not a number"],
      ["spec.hosts[4]", "is not a host name"],
    ],
  },
  {
    name: "all hosts of the mesh, and one twice",
    spec: { ...routed({}), hosts: ["*", "a", "A"] },
    errors: [
      ["spec.hosts[0]", "must not be `*`"],
      ["spec.hosts[2]", "a second time"],
    ],
  },
  {
    name: "no route",
    spec: { hosts: ["reviews"] },
    errors: [["spec", "must have an http, tls or tcp route"]],
  },
  {
    name: "a route without an action",
    spec: answered({}),
    errors: [["spec.http[0]", "must have one of route"]],
  },
  {
    name: "two actions, one of them wrong",
    spec: routed({ redirect: { uri: "/", redirectCode: 200 } }),
    errors: [
      ["spec.http[0]", "only one action, not route and redirect"],
      ["spec.http[0].redirect.redirectCode", "301"],
    ],
  },
  {
    name: "a delegate, which would leave no action",
    spec: answered({ delegate: { name: "other" } }),
    errors: [["spec.http[0].delegate", "is not supported yet"]],
  },
  {
    name: "a redirect with a rewrite and a fault",
    spec: answered({
      redirect: { uri: "/" },
      rewrite: { uri: "/" },
      fault: { abort: { httpStatus: 500, percentage: { value: 1 } } },
    }),
    errors: [
      ["spec.http[0].rewrite", "together with redirect"],
      ["spec.http[0].fault", "together with redirect"],
    ],
  },
  {
    name: "weights that are negative, no whole numbers, or text",
    spec: {
      hosts: ["a"],
      http: [
        {
          route: [
            { ...to("a"), weight: -1 },
            { ...to("a"), weight: 1.5 },
          ],
        },
        { route: [{ ...to("a"), weight: "80" }] },
      ],
    },
    errors: [
      ["spec.http[0].route[0].weight", "must not be negative"],
      ["spec.http[0].route[1].weight", "whole number"],
      ["spec.http[1].route[0].weight", "must be a number, not a string"],
    ],
  },
  {
    name: "several destinations without a weight",
    spec: { hosts: ["a"], http: [{ route: [to("a"), to("b")] }], tcp: [{ route: [to("a"), to("b")] }] },
    errors: [
      ["spec.http[0].route", "weight above 0"],
      ["spec.tcp[0].route", "weight above 0"],
    ],
  },
  {
    name: "destinations without a host, with a bad subset and port",
    spec: answered({
      route: [{ destination: { subset: "V2", port: { number: 0 } } }, { weight: 1 }, to("*")],
    }),
    errors: [
      ["spec.http[0].route[0].destination.host", "is required"],
      ["spec.http[0].route[0].destination.subset", "is not a DNS label"],
      ["spec.http[0].route[0].destination.port.number", "at least 1"],
      ["spec.http[0].route[1].destination", "is required"],
      ["spec.http[0].route[2].destination.host", "must not be `*` alone"],
    ],
  },
  ...["2", "2 s", "-1s", "1x", "s", "1e3s", ".5s"].map((timeout) => ({
    name: `a timeout of ${timeout}`,
    spec: routed({ timeout }),
    errors: [["spec.http[0].timeout", timeout === "-1s" ? "negative" : "is not a duration"] as const],
  })),
  {
    name: "a timeout as a number",
    spec: routed({ timeout: 2 }),
    errors: [["spec.http[0].timeout", "like 2s"]],
  },
  {
    name: "durations below a millisecond",
    spec: routed({
      timeout: "100us",
      retries: { attempts: 1, perTryTimeout: "0s" },
      fault: { delay: { fixedDelay: "0ms", percentage: { value: 1 } } },
    }),
    errors: [
      ["spec.http[0].timeout", "whole number of milliseconds"],
      ["spec.http[0].retries.perTryTimeout", "at least 1ms"],
      ["spec.http[0].fault.delay.fixedDelay", "at least 1ms"],
    ],
  },
  {
    name: "retries that are off and configured, negative, or on unknown conditions",
    spec: {
      hosts: ["a"],
      http: [
        { route: [to("a")], retries: { perTryTimeout: "1s" } },
        { route: [to("a")], retries: { attempts: -1 } },
        { route: [to("a")], retries: { attempts: 1, retryOn: "5xx,conect-failure" } },
      ],
    },
    errors: [
      ["spec.http[0].retries.attempts", "must be above 0"],
      ["spec.http[1].retries.attempts", "at least 0"],
      ["spec.http[2].retries.retryOn", "did you mean `connect-failure`?"],
    ],
  },
  {
    name: "faults that are empty, out of range or of two kinds",
    spec: {
      hosts: ["a"],
      http: [
        { route: [to("a")], fault: {} },
        { route: [to("a")], fault: { abort: { percentage: { value: 101 }, httpStatus: 199 } } },
        {
          route: [to("a")],
          fault: { abort: { percentage: { value: 1 }, httpStatus: 500, grpcStatus: "INTERNAL" } },
        },
        { route: [to("a")], fault: { delay: { percentage: { value: -1 } } } },
        { route: [to("a")], fault: { delay: { exponentialDelay: "1s", percent: 1 } } },
      ],
    },
    errors: [
      ["spec.http[0].fault", "a delay or an abort"],
      ["spec.http[1].fault.abort.percentage.value", "at most 100"],
      ["spec.http[1].fault.abort.httpStatus", "at least 200"],
      ["spec.http[2].fault.abort", "only one of"],
      ["spec.http[3].fault.delay.fixedDelay", "is required"],
      ["spec.http[3].fault.delay.percentage.value", "at least 0"],
      ["spec.http[4].fault.delay.exponentialDelay", "not supported"],
    ],
  },
  {
    name: "regular expressions that RE2 does not have, and too long ones",
    spec: routed({
      match: [
        { uri: { regex: "(?=a)" } },
        { uri: { regex: "(a)\\1" } },
        { uri: { regex: "[" } },
        { uri: { regex: "(a{1000}){1000}" } },
        { uri: { regex: "a".repeat(2000) } },
        { uri: { regex: "*" } },
      ],
    }),
    errors: [0, 1, 2, 3, 4, 5].map(
      (index) =>
        [`spec.http[0].match[${index}].uri.regex`, index === 4 ? "longer" : "not a valid RE2"] as const,
    ),
  },
  {
    name: "matches with two kinds, none, or empty ones",
    spec: routed({
      match: [
        { uri: { exact: "/", prefix: "/" } },
        { uri: {} },
        { uri: { prefix: "" } },
        { headers: { a: { exact: "x", regex: "y" }, "b c": {}, ":method": {} } },
        { port: 70000 },
      ],
    }),
    errors: [
      ["spec.http[0].match[0].uri", "only one of"],
      ["spec.http[0].match[1].uri", "one of exact, prefix and regex"],
      ["spec.http[0].match[2].uri.prefix", "must not be empty"],
      ["spec.http[0].match[3].headers.a", "only one of"],
      ['spec.http[0].match[3].headers["b c"]', "not a header name"],
      ['spec.http[0].match[3].headers[":method"]', "must not begin with"],
      ["spec.http[0].match[4].port", "at most 65535"],
    ],
  },
  {
    name: "header operations on what they must not touch",
    spec: routed({
      headers: {
        request: { set: { ":path": "/", "x y": "1", ok: "a\r\nb: c" }, remove: ["host", ""] },
        response: { set: { Host: "a" } },
      },
    }),
    errors: [
      ['spec.http[0].headers.request.set[":path"]', "must not begin with"],
      ['spec.http[0].headers.request.set["x y"]', "not a header name"],
      ["spec.http[0].headers.request.set.ok", "control characters"],
      ["spec.http[0].headers.request.remove[0]", "only on a request"],
      ["spec.http[0].headers.request.remove[1]", "must have a name"],
      ["spec.http[0].headers.response.set.Host", "only on a request"],
    ],
  },
  {
    name: "an empty rewrite, and a rewrite in two ways",
    spec: {
      hosts: ["a"],
      http: [
        { route: [to("a")], rewrite: {} },
        { route: [to("a")], rewrite: { uri: "/", uriRegexRewrite: { match: "a", rewrite: "b" } } },
      ],
    },
    errors: [
      ["spec.http[0].rewrite", "must have a uri or an authority"],
      ["spec.http[1].rewrite", "only one of"],
    ],
  },
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
    name: "a server name that its hosts do not cover",
    spec: { hosts: ["*.example.com"], tls: [{ match: [{ sniHosts: ["example.org"] }], route: [to("a")] }] },
    errors: [["spec.tls[0].match[0].sniHosts[0]", "not covered by the hosts"]],
  },
  {
    name: "exportTo that contradicts itself or names no namespace",
    spec: { ...routed({}), exportTo: ["*", "."] },
    errors: [["spec.exportTo", "must stand alone"]],
  },
  {
    name: "exportTo with a name that is none",
    spec: { ...routed({}), exportTo: ["Shop"] },
    errors: [["spec.exportTo[0]", "name of a namespace"]],
  },
];

testKind("VirtualService", "networking.istio.io/v1", { good, bad });
