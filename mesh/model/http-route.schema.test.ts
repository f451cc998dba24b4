import { answered, parsedMatch, parsedRoute, routed, to } from "../../test/harness/http-route-specs.ts";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type { HttpRedirect, RetryPolicy } from "./virtual-service.ts";

const RETRIES: RetryPolicy = {
  attempts: 3,
  perTryTimeoutMs: undefined,
  retryOn: "",
  retryRemoteLocalities: false,
  retryIgnorePreviousHosts: undefined,
  backoffMs: undefined,
};
const REDIRECT: HttpRedirect = {
  uri: "",
  authority: "",
  scheme: "",
  port: undefined,
  derivePort: undefined,
  prefixRewrite: "",
  code: 301,
};

const good: readonly GoodCase<"VirtualService">[] = [
  {
    name: "durations become milliseconds",
    spec: routed({
      timeout: "1m30s",
      retries: {
        attempts: 3,
        perTryTimeout: "500ms",
        retryOn: "5xx,connect-failure,503",
        retryRemoteLocalities: true,
        retryIgnorePreviousHosts: false,
        backoff: "25ms",
      },
    }),
    want: {
      http: [
        parsedRoute({
          timeoutMs: 90_000,
          retries: {
            attempts: 3,
            perTryTimeoutMs: 500,
            retryOn: "5xx,connect-failure,503",
            retryRemoteLocalities: true,
            retryIgnorePreviousHosts: false,
            backoffMs: 25,
          },
        }),
      ],
    },
  },
  {
    name: "retries that are off, and retries that say nothing else",
    spec: {
      hosts: ["a"],
      http: [
        { route: [to("reviews")], retries: {} },
        { route: [to("reviews")], retries: { attempts: 3 } },
      ],
    },
    want: {
      http: [parsedRoute({ retries: { ...RETRIES, attempts: 0 } }), parsedRoute({ retries: RETRIES })],
    },
  },
  {
    name: "redirects by each of their parts",
    spec: {
      hosts: ["reviews"],
      http: [
        { redirect: { uri: "/v2", authority: "new.example.com", redirectCode: 0 } },
        { match: [{ uri: { prefix: "/a" } }, {}], redirect: { prefixRewrite: "/b", redirectCode: 308 } },
        { redirect: { derivePort: "FROM_REQUEST_PORT", scheme: "https" } },
        { redirect: { port: 8443 } },
      ],
    },
    want: {
      http: [
        parsedRoute({ route: [], redirect: { ...REDIRECT, uri: "/v2", authority: "new.example.com" } }),
        parsedRoute({
          route: [],
          match: [parsedMatch({ uri: { kind: "prefix", value: "/a" } }), parsedMatch()],
          redirect: { ...REDIRECT, prefixRewrite: "/b", code: 308 },
        }),
        parsedRoute({
          route: [],
          redirect: { ...REDIRECT, derivePort: "FROM_REQUEST_PORT", scheme: "https" },
        }),
        parsedRoute({ route: [], redirect: { ...REDIRECT, port: 8443 } }),
      ],
    },
  },
  {
    name: "direct responses of text, of bytes and of nothing",
    spec: {
      hosts: ["reviews"],
      http: [
        { directResponse: { status: 503, body: { bytes: "c29ycnk=" } } },
        { directResponse: { status: 200, body: { string: "hello" } } },
        { directResponse: { status: 599 } },
      ],
    },
    want: {
      http: [
        parsedRoute({
          route: [],
          directResponse: { status: 503, body: new Uint8Array(Buffer.from("sorry")) },
        }),
        parsedRoute({ route: [], directResponse: { status: 200, body: "hello" } }),
        parsedRoute({ route: [], directResponse: { status: 599, body: "" } }),
      ],
    },
  },
  {
    name: "a large direct response, which is told",
    spec: answered({ directResponse: { status: 200, body: { string: "a".repeat(200_000) } } }),
    warnings: [["spec.http[0].directResponse.body", "is large"]],
  },
  {
    name: "a rewrite by a regular expression",
    spec: routed({
      rewrite: { authority: "b", uriRegexRewrite: { match: "^/(\\w+)/v1", rewrite: "/\\1/v2\\\\" } },
    }),
    want: {
      http: [
        parsedRoute({
          rewrite: { uri: "", authority: "b", uriRegex: { match: "^/(\\w+)/v1", rewrite: "/\\1/v2\\\\" } },
        }),
      ],
    },
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
        parsedRoute({
          fault: {
            delay: { fixedDelayMs: 7000, percent: 10 },
            abort: { percent: 0.1, httpStatus: 555, grpcStatus: undefined },
          },
        }),
      ],
    },
  },
  {
    name: "faults that apply to nothing, and say so",
    spec: {
      hosts: ["a"],
      http: [{ delay: { fixedDelay: "7s" }, abort: {} }, { delay: {} }].map((fault) => ({
        route: [to("reviews")],
        fault,
      })),
    },
    want: {
      http: [
        parsedRoute({ fault: { delay: { fixedDelayMs: 7000, percent: 0 }, abort: undefined } }),
        parsedRoute({ fault: { delay: undefined, abort: undefined } }),
      ],
    },
    warnings: [
      ["spec.http[1].fault.delay", "nothing is delayed"],
      ["spec.http[0].fault.delay", "no percentage"],
      ["spec.http[0].fault.abort", "nothing is aborted"],
    ],
  },
  {
    name: "header operations may set the authority of a request, and use Envoy's variables",
    spec: routed({
      headers: {
        request: { set: { Host: "a", "x-mesh": "lateen" }, remove: ["cookie"] },
        response: { add: { "x-by": 'a %% %HOSTNAME% %REQ(x)% %METADATA(["a", "b"])%' } },
      },
    }),
    want: {
      http: [
        parsedRoute({
          headers: {
            request: { set: { Host: "a", "x-mesh": "lateen" }, add: {}, remove: ["cookie"] },
            response: {
              set: {},
              add: { "x-by": 'a %% %HOSTNAME% %REQ(x)% %METADATA(["a", "b"])%' },
              remove: [],
            },
          },
        }),
      ],
    },
  },
  {
    name: "subsets with capitals",
    spec: { hosts: ["a"], http: [{ route: [to("reviews", "V2")] }] },
  },
];

const bad: readonly BadCase[] = [
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
    name: "a delegate beside an action",
    spec: {
      hosts: ["a"],
      http: [
        { route: [to("a")], delegate: { name: "b" } },
        { redirect: { uri: "/" }, delegate: { name: "b" } },
        { directResponse: { status: 200 }, delegate: { name: "" } },
        { delegate: { name: "B", namespace: "C" } },
      ],
    },
    errors: [
      ["spec.http[0].route", "together with delegate"],
      ["spec.http[1].redirect", "together with delegate"],
      ["spec.http[2].directResponse", "together with delegate"],
      ["spec.http[2].delegate.name", "must not be empty"],
      ["spec.http[3].delegate.name", "is not the name of a VirtualService"],
      ["spec.http[3].delegate.namespace", "is not a DNS label"],
    ],
  },
  {
    name: "answers with a rewrite and a fault",
    spec: {
      hosts: ["a"],
      http: [{ redirect: { uri: "/" } }, { directResponse: { status: 200 } }].map((answer) => ({
        ...answer,
        rewrite: { uri: "/" },
        fault: { abort: { httpStatus: 500, percentage: { value: 1 } } },
      })),
    },
    errors: [
      ["spec.http[0].rewrite", "together with redirect"],
      ["spec.http[0].fault", "together with redirect"],
      ["spec.http[1].rewrite", "together with directResponse"],
      ["spec.http[1].fault", "together with directResponse"],
    ],
  },
  {
    name: "redirects to nowhere, to two places, or of a path that has no prefix",
    spec: {
      hosts: ["a"],
      http: [
        { redirect: {} },
        { redirect: { uri: "/", prefixRewrite: "/a" } },
        { redirect: { port: 80, derivePort: "FROM_REQUEST_PORT" } },
        { redirect: { uri: "/", scheme: "ftp", derivePort: "FROM_HERE" } },
        { match: [{ uri: { exact: "/a" } }], redirect: { prefixRewrite: "/b" } },
        { redirect: { uri: "/", redirectCode: 305, port: 65536 } },
      ],
    },
    errors: [
      ["spec.http[0].redirect", "must have a uri"],
      ["spec.http[1].redirect", "only one of uri and prefixRewrite"],
      ["spec.http[2].redirect", "only one of port and derivePort"],
      ["spec.http[3].redirect.scheme", "must be one of"],
      ["spec.http[3].redirect.derivePort", "must be one of"],
      ["spec.http[4].redirect.prefixRewrite", "whose uri is a prefix"],
      ["spec.http[5].redirect.redirectCode", "301"],
      ["spec.http[5].redirect.port", "at most 65535"],
    ],
  },
  {
    name: "direct responses without a status, of two bodies, of no base64, and too large",
    spec: {
      hosts: ["a"],
      http: [
        { directResponse: {} },
        { directResponse: { status: 199, body: { string: "a", bytes: "YQ==" } } },
        { directResponse: { status: 600, body: { bytes: "?" } } },
        { directResponse: { status: 200, body: { string: "é".repeat(600_000) } } },
      ],
    },
    errors: [
      ["spec.http[0].directResponse.status", "is required"],
      ["spec.http[1].directResponse.status", "at least 200"],
      ["spec.http[1].directResponse.body", "only one of"],
      ["spec.http[2].directResponse.status", "at most 599"],
      ["spec.http[2].directResponse.body.bytes", "base64"],
      ["spec.http[3].directResponse.body", "1 MiB"],
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
      route: [{ destination: { subset: "V_2", port: { number: 0 } } }, { weight: 1 }, to("*"), null],
    }),
    errors: [
      ["spec.http[0].route[0].destination.host", "is required"],
      ["spec.http[0].route[0].destination.subset", "is not a DNS label"],
      ["spec.http[0].route[0].destination.port.number", "at least 1"],
      ["spec.http[0].route[1].destination", "is required"],
      ["spec.http[0].route[2].destination.host", "must not be `*` alone"],
      ["spec.http[0].route[3]", "must not be null"],
    ],
  },
  ...["2", "2 s", "-1s", "1x", "s", "1e3s", ".5s", "0s"].map((timeout) => ({
    name: `a timeout of ${timeout}`,
    spec: routed({ timeout }),
    errors: [
      [
        "spec.http[0].timeout",
        timeout === "-1s" ? "negative" : timeout === "0s" ? "at least 1ms" : "is not a duration",
      ] as const,
    ],
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
      retries: { attempts: 1, perTryTimeout: "0s", backoff: "0s" },
      fault: { delay: { fixedDelay: "0ms", percentage: { value: 1 } } },
    }),
    errors: [
      ["spec.http[0].timeout", "whole number of milliseconds"],
      ["spec.http[0].retries.perTryTimeout", "at least 1ms"],
      ["spec.http[0].retries.backoff", "at least 1ms"],
      ["spec.http[0].fault.delay.fixedDelay", "at least 1ms"],
    ],
  },
  {
    name: "retries that are off and configured, negative, or on unknown conditions",
    spec: {
      hosts: ["a"],
      http: [
        { perTryTimeout: "1s" },
        { attempts: 0, retryRemoteLocalities: false },
        { attempts: -1 },
        { attempts: 1, retryOn: "5xx,conect-failure" },
        { attempts: 1, retryOn: "503,599" },
        { attempts: 1, retryOn: "5xx, reset" },
        { attempts: 1, retryRemoteLocalities: "yes" },
      ].map((retries) => ({ route: [to("a")], retries })),
    },
    errors: [
      ["spec.http[0].retries.attempts", "must be above 0"],
      ["spec.http[1].retries.attempts", "must be above 0"],
      ["spec.http[2].retries.attempts", "at least 0"],
      ["spec.http[3].retries.retryOn", "did you mean `connect-failure`?"],
      ["spec.http[4].retries.retryOn", '"599" is not a retry condition'],
      ["spec.http[5].retries.retryOn", "must not have spaces"],
      ["spec.http[6].retries.retryRemoteLocalities", "must be true or false"],
    ],
  },
  {
    name: "faults that are empty, out of range or of two kinds",
    spec: {
      hosts: ["a"],
      http: [
        {},
        { abort: { percentage: { value: 101 }, httpStatus: 199 } },
        { abort: { percentage: { value: 1 }, httpStatus: 500, grpcStatus: "INTERNAL" } },
        { delay: { percentage: { value: -1 } } },
        { delay: { exponentialDelay: "1s", percent: 1 } },
        { abort: { http2Error: "REFUSED", percentage: { value: 0.00001 } } },
        { abort: { grpcStatus: "BROKEN", percentage: { value: 1 } } },
      ].map((fault) => ({ route: [to("a")], fault })),
    },
    errors: [
      ["spec.http[0].fault", "a delay or an abort"],
      ["spec.http[1].fault.abort.percentage.value", "at most 100"],
      ["spec.http[1].fault.abort.httpStatus", "at least 200"],
      ["spec.http[2].fault.abort", "only one of"],
      ["spec.http[3].fault.delay.percentage.value", "at least 0"],
      ["spec.http[4].fault.delay.exponentialDelay", "not supported"],
      ["spec.http[5].fault.abort.http2Error", "not supported"],
      ["spec.http[5].fault.abort.percentage.value", "0 or at least 0.0001"],
      ["spec.http[6].fault.abort.grpcStatus", "must be one of"],
    ],
  },
  {
    name: "header operations on what they must not touch",
    spec: routed({
      headers: {
        request: { set: { ":path": "/", "x y": "1", ok: "a\r\nb: c" }, remove: ["host", ""] },
        response: { set: { Host: "a" }, add: { a: "100%", b: "%START_TIME%%", c: '%REQ(["a")%' } },
      },
    }),
    errors: [
      ['spec.http[0].headers.request.set[":path"]', "must not begin with"],
      ['spec.http[0].headers.request.set["x y"]', "not a header name"],
      ["spec.http[0].headers.request.set.ok", "control characters"],
      ["spec.http[0].headers.request.remove[0]", "only on a request"],
      ["spec.http[0].headers.request.remove[1]", "must have a name"],
      ["spec.http[0].headers.response.set.Host", "only on a request"],
      ["spec.http[0].headers.response.add.a", "write `%%`"],
      ["spec.http[0].headers.response.add.b", "write `%%`"],
      ["spec.http[0].headers.response.add.c", "write `%%`"],
    ],
  },
  {
    name: "an authority that is set more than once",
    spec: {
      hosts: ["a"],
      http: [
        { route: [to("a")], rewrite: { authority: "b" }, headers: { request: { set: { Host: "c" } } } },
        { route: [to("a")], headers: { request: { set: { host: "b" }, add: { ":authority": "c" } } } },
      ],
    },
    errors: [
      ["spec.http[0]", "the authority more than once"],
      ["spec.http[1]", "the authority more than once"],
    ],
  },
  {
    name: "rewrites of nothing, in two ways, or by what RE2 does not know",
    spec: {
      hosts: ["a"],
      http: [
        {},
        { uri: "/", uriRegexRewrite: { match: "a", rewrite: "b" } },
        { uriRegexRewrite: { match: "(?=a)", rewrite: "" } },
        { uriRegexRewrite: { match: "(a)", rewrite: "\\2" } },
        { uriRegexRewrite: { match: "(a)", rewrite: "\\x" } },
        { uriRegexRewrite: {} },
      ].map((rewrite) => ({ route: [to("a")], rewrite })),
    },
    errors: [
      ["spec.http[0].rewrite", "must have a uri"],
      ["spec.http[1].rewrite", "only one of"],
      ["spec.http[2].rewrite.uriRegexRewrite.match", "not a valid RE2"],
      ["spec.http[2].rewrite.uriRegexRewrite.rewrite", "must not be empty"],
      ["spec.http[3].rewrite.uriRegexRewrite.rewrite", "names group 2"],
      ["spec.http[4].rewrite.uriRegexRewrite.rewrite", "a digit or a backslash"],
      ["spec.http[5].rewrite.uriRegexRewrite.match", "must not be empty"],
      ["spec.http[5].rewrite.uriRegexRewrite.rewrite", "must not be empty"],
    ],
  },
];

testKind("VirtualService", "networking.istio.io/v1", { good, bad });
