import { parsedMatch, parsedRoute, routed } from "../../test/harness/http-route-specs.ts";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const good: readonly GoodCase<"VirtualService">[] = [
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
          headers: { "End-User": { exact: "jason" }, accept: {}, ":method": { exact: "GET" } },
          withoutHeaders: { "x-debug": { prefix: "on" }, cookie: { regex: "*" } },
          queryParams: { page: { regex: "\\d+" }, any: {} },
          port: 9080,
          sourceLabels: { app: "productpage" },
          sourceNamespace: "shop",
          gateways: ["mesh"],
          statPrefix: "reads",
        },
      ],
    }),
    want: {
      http: [
        parsedRoute({
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
                accept: { kind: "present" },
                ":method": { kind: "exact", value: "GET" },
              },
              withoutHeaders: { "x-debug": { kind: "prefix", value: "on" }, cookie: { kind: "present" } },
              queryParams: { page: { kind: "regex", value: "\\d+" }, any: { kind: "present" } },
              port: 9080,
              sourceLabels: { app: "productpage" },
              sourceNamespace: "shop",
              gateways: ["mesh"],
              statPrefix: "reads",
            },
          ],
        }),
      ],
    },
  },
  {
    name: "an empty prefix of a path, and port 0, which is none",
    spec: routed({ match: [{ uri: { prefix: "" }, port: 0 }] }),
    want: { http: [parsedRoute({ match: [parsedMatch({ uri: { kind: "prefix", value: "" } })] })] },
  },
  {
    name: "a match that says nothing matches everything, and is told",
    spec: routed({ match: [{ uri: {}, method: {} }] }),
    want: { http: [parsedRoute({ match: [parsedMatch({})] })] },
    warnings: [
      ["spec.http[0].match[0].uri", "matches everything"],
      ["spec.http[0].match[0].method", "matches everything"],
    ],
  },
];

const bad: readonly BadCase[] = [
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
        [
          `spec.http[0].match[${index}].uri.regex`,
          index === 4 ? "longer" : index === 3 ? "too large" : "not a valid RE2",
        ] as const,
    ),
  },
  {
    name: "a star for presence, which Istio knows in withoutHeaders alone",
    spec: routed({ match: [{ headers: { cookie: { regex: "*" } }, queryParams: { q: { regex: "*" } } }] }),
    errors: [
      ["spec.http[0].match[0].headers.cookie.regex", "not a valid RE2"],
      ["spec.http[0].match[0].queryParams.q.regex", "not a valid RE2"],
    ],
  },
  {
    name: "matches with two kinds, or empty ones",
    spec: routed({
      match: [
        { uri: { exact: "/", prefix: "/" } },
        { uri: { regex: "" }, method: { prefix: "" }, scheme: { regex: "" }, authority: { prefix: "" } },
        { headers: { a: { exact: "x", regex: "y" }, "b c": {}, ":x": {}, "": {}, e: { prefix: "" } } },
        {
          withoutHeaders: { a: { prefix: "" }, b: { regex: "?" } },
          queryParams: { "": {}, b: { prefix: "" } },
        },
        { port: 70000 },
        { headers: { a: null }, sourceNamespace: "A", sourceLabels: { a: 1 }, gateways: ["a b"] },
      ],
    }),
    errors: [
      ["spec.http[0].match[0].uri", "only one of"],
      ["spec.http[0].match[1].uri.regex", "must not be empty"],
      ["spec.http[0].match[1].method.prefix", "must not be empty"],
      ["spec.http[0].match[1].scheme.regex", "must not be empty"],
      ["spec.http[0].match[1].authority.prefix", "must not be empty"],
      ["spec.http[0].match[2].headers.a", "only one of"],
      ['spec.http[0].match[2].headers["b c"]', "not a header name"],
      ['spec.http[0].match[2].headers[":x"]', "must not begin with"],
      ['spec.http[0].match[2].headers[""]', "must have a name"],
      ["spec.http[0].match[2].headers.e.prefix", "must not be empty"],
      ["spec.http[0].match[3].withoutHeaders.a.prefix", "must not be empty"],
      ["spec.http[0].match[3].withoutHeaders.b.regex", "not a valid RE2"],
      ['spec.http[0].match[3].queryParams[""]', "must have a name"],
      ["spec.http[0].match[3].queryParams.b.prefix", "must not be empty"],
      ["spec.http[0].match[4].port", "at most 65535"],
      ["spec.http[0].match[5].headers.a", "must not be null"],
      ["spec.http[0].match[5].sourceNamespace", "is not a DNS label"],
      ["spec.http[0].match[5].sourceLabels.a", "in quotes"],
      ["spec.http[0].match[5].gateways[0]", "is not the name of a gateway"],
    ],
  },
];

testKind("VirtualService", "networking.istio.io/v1", { good, bad });
