export interface Call {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

export interface Want {
  readonly status?: number;
  /** Who answered: `reviews`, `v1`, `v2`, `ratings`. */
  readonly from?: string;
  /** What the application saw; `host` among the headers. Undefined: not there. */
  readonly url?: string;
  readonly seen?: Readonly<Record<string, string | undefined>>;
  /** Of the answer. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
}

/** Routes of a VirtualService for `reviews`, and what becomes of calls under them. */
interface Case {
  readonly name: string;
  /** `spec.http` in flow style. */
  readonly http: string;
  readonly calls: readonly (readonly [Call, Want])[];
}

const all = "route: [{ destination: { host: reviews } }]";
const others = "{ directResponse: { status: 404 } }";

export const ROUTE_CASES: readonly Case[] = [
  {
    name: "a prefix is a string prefix, and a rewrite takes its place",
    http: `[{ match: [{ uri: { prefix: /old } }], rewrite: { uri: /new }, ${all} }, ${others}]`,
    calls: [
      [{ path: "/old/x?q=1" }, { url: "/new/x?q=1" }],
      [{ path: "/older" }, { url: "/newer" }],
      [{ path: "/other" }, { status: 404 }],
    ],
  },
  {
    name: "a rewrite replaces all of an exact path and of one that a regular expression matches",
    http: `[{ match: [{ uri: { exact: /a/b } }, { uri: { regex: "/r/[0-9]+" } }], rewrite: { uri: /new }, ${all} }, ${others}]`,
    calls: [
      [{ path: "/a/b?q=1" }, { url: "/new?q=1" }],
      [{ path: "/r/12?q=1" }, { url: "/new?q=1" }],
      [{ path: "/r/12/3" }, { status: 404 }],
    ],
  },
  {
    name: "a rewrite by regular expression uses what it found",
    http: `[{ rewrite: { uriRegexRewrite: { match: "^/users/([0-9]+)/(.*)$", rewrite: "/\\\\2/of/\\\\1" } }, ${all} }]`,
    calls: [
      [{ path: "/users/7/books?q" }, { url: "/books/of/7?q" }],
      [{ path: "/else" }, { url: "/else" }],
    ],
  },
  {
    name: "the authority is rewritten by rewrite, by headers of the route, by headers of the destination",
    http: `[{ match: [{ uri: { prefix: /a } }], rewrite: { authority: a.example }, ${all} },
            { match: [{ uri: { prefix: /b } }], headers: { request: { set: { host: b.example } } },
              route: [{ destination: { host: reviews }, headers: { request: { set: { host: c.example } } } }] },
            { route: [{ destination: { host: reviews }, headers: { request: { set: { ":authority": d.example } } } }] }]`,
    calls: [
      [{ path: "/a" }, { seen: { host: "a.example" } }],
      [{ path: "/b" }, { seen: { host: "b.example" } }],
      [{ path: "/d" }, { seen: { host: "d.example" } }],
    ],
  },
  {
    name: "headers are set, added and removed by the route, then by the destination",
    http: `[{ headers: { request: { set: { x-set: route, x-both: route }, add: { x-add: route }, remove: [x-gone] }, response: { add: { x-mesh: a } } },
              route: [{ destination: { host: reviews }, headers: { request: { set: { x-both: destination } }, response: { remove: [x-app] } } }] }]`,
    calls: [
      [
        { headers: { "x-set": "app", "x-add": "app", "x-gone": "app" } },
        {
          seen: { "x-set": "route", "x-both": "destination", "x-add": "app, route", "x-gone": undefined },
          headers: { "x-mesh": "a", "x-app": undefined },
        },
      ],
    ],
  },
  {
    name: "redirects change what they name and keep the rest",
    http: `[{ match: [{ uri: { prefix: /p } }], redirect: { prefixRewrite: /q, redirectCode: 302 } },
            { match: [{ uri: { prefix: /s } }], redirect: { scheme: https, port: 443 } },
            { match: [{ uri: { prefix: /r } }], redirect: { scheme: https, derivePort: FROM_REQUEST_PORT } },
            { redirect: { uri: /moved, authority: www.example, redirectCode: 308 } }]`,
    calls: [
      [{ path: "/p/x?a" }, { status: 302, headers: { location: "http://HOST/q/x?a" } }],
      [{ path: "/s/x" }, { status: 301, headers: { location: "https://HOST/s/x" } }],
      [{ path: "/r" }, { headers: { location: "https://HOST:9080/r" } }],
      [{ path: "/x" }, { status: 308, headers: { location: "http://www.example/moved" } }],
    ],
  },
  {
    name: "direct responses are answered by the proxy",
    http: `[{ match: [{ uri: { prefix: /text } }], directResponse: { status: 418, body: { string: short and stout } } },
            { directResponse: { status: 200, body: { bytes: b2s= } } }]`,
    calls: [
      [{ path: "/text" }, { status: 418, body: "short and stout" }],
      [{}, { status: 200, body: "ok" }],
    ],
  },
  {
    name: "headers match by exact value, prefix, regular expression of the whole, presence and absence",
    http: `[{ match: [{ headers: { a: { exact: x } } }, { headers: { b: { prefix: x } } }, { headers: { c: { regex: "x+" } } }, { headers: { d: {} } }], ${all} },
            { match: [{ uri: { exact: /not }, withoutHeaders: { e: { exact: x } } }, { uri: { exact: /gone }, withoutHeaders: { e: {} } }], ${all} }, ${others}]`,
    calls: [
      [{ headers: { a: "x" } }, { status: 200 }],
      [{ headers: { a: "xx", b: "ax", c: "xy" } }, { status: 404 }],
      [{ headers: { b: "xy" } }, { status: 200 }],
      [{ headers: { c: "xx" } }, { status: 200 }],
      [{ headers: { d: "" } }, { status: 200 }],
      [{ path: "/not" }, { status: 200 }],
      [{ path: "/not", headers: { e: "y" } }, { status: 200 }],
      [{ path: "/not", headers: { e: "x" } }, { status: 404 }],
      [{ path: "/gone", headers: { e: "y" } }, { status: 404 }],
      [{ path: "/gone" }, { status: 200 }],
    ],
  },
  {
    name: "methods, schemes, authorities, parameters and the case of paths",
    http: `[{ match: [{ method: { exact: PUT } }, { scheme: { exact: https } }, { authority: { prefix: nobody } },
                      { queryParams: { a: { exact: "1" }, b: {} } }, { uri: { exact: /Case }, ignoreUriCase: true }], ${all} }, ${others}]`,
    calls: [
      [{ method: "PUT" }, { status: 200 }],
      [{}, { status: 404 }],
      [{ path: "/?a=1&b" }, { status: 200 }],
      [{ path: "/?a=1" }, { status: 404 }],
      [{ path: "/?a=11&b" }, { status: 404 }],
      [{ path: "/cASE" }, { status: 200 }],
    ],
  },
  {
    name: "a destination of weight 0 gets nothing",
    http: `[{ route: [{ destination: { host: reviews, subset: v1 }, weight: 0 }, { destination: { host: reviews, subset: v2 }, weight: 1 }] }]`,
    calls: Array.from({ length: 6 }, () => [{}, { from: "v2" }] as const),
  },
  {
    name: "faults abort for all, for none, and for gRPC",
    http: `[{ match: [{ uri: { prefix: /all } }], fault: { abort: { httpStatus: 451, percentage: { value: 100 } } }, ${all} },
            { match: [{ uri: { prefix: /none } }], fault: { abort: { httpStatus: 451, percentage: { value: 0 } } }, ${all} },
            { fault: { abort: { grpcStatus: NOT_FOUND, percentage: { value: 100 } } }, ${all} }]`,
    calls: [
      [{ path: "/all" }, { status: 451 }],
      [{ path: "/none" }, { status: 200 }],
      [
        { headers: { "content-type": "application/grpc" } },
        { status: 200, body: "", headers: { "grpc-status": "5", "grpc-message": "fault filter abort" } },
      ],
      [{}, { status: 200, body: "fault filter abort", headers: { "grpc-status": undefined } }],
      [
        { path: "/all", headers: { "content-type": "application/grpc+proto" } },
        { status: 200, headers: { "grpc-status": "2" } },
      ],
    ],
  },
  {
    name: "preflights of allowed origins are answered, others forwarded or answered without a permit",
    http: `[{ match: [{ uri: { prefix: /forward } }], corsPolicy: { allowOrigins: [{ exact: "https://a.example" }], allowMethods: [PUT], maxAge: 60s }, ${all} },
            { corsPolicy: { allowOrigins: [{ exact: "https://a.example" }], unmatchedPreflights: IGNORE }, ${all} }]`,
    calls: [
      [
        preflight("/forward", "https://a.example"),
        permit("https://a.example", {
          "access-control-allow-methods": "PUT",
          "access-control-max-age": "60",
        }),
      ],
      [preflight("/forward", "https://b.example"), { from: "reviews" }],
      [
        preflight("/ignore", "https://b.example"),
        { status: 200, body: "", headers: { "access-control-allow-origin": undefined } },
      ],
    ],
  },
  {
    name: "answers tell browsers which origins may read them, and how",
    http: `[{ match: [{ uri: { prefix: /direct } }], directResponse: { status: 410, body: { string: gone } },
              corsPolicy: { allowOrigins: [{ regex: "https://[a-z]+" }], exposeHeaders: [x-app] } },
            { match: [{ uri: { prefix: /fault } }], fault: { abort: { httpStatus: 503, percentage: { value: 100 } } },
              corsPolicy: { allowOrigins: [{ prefix: "https://" }] }, ${all} },
            { match: [{ uri: { prefix: /any } }], corsPolicy: { allowOrigins: [{ exact: "*" }], maxAge: 1s }, ${all} },
            { corsPolicy: { allowOrigins: [{ exact: "https://a" }], allowCredentials: true, exposeHeaders: [x-app, x-b] }, ${all} }]`,
    calls: [
      [
        { headers: { origin: "https://a" } },
        {
          from: "reviews",
          headers: {
            "access-control-allow-origin": "https://a",
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "x-app,x-b",
            "access-control-max-age": undefined,
          },
        },
      ],
      [
        { headers: { origin: "https://b" } },
        { from: "reviews", headers: { "access-control-allow-origin": undefined } },
      ],
      [{}, { from: "reviews", headers: { "access-control-expose-headers": undefined } }],
      // Without access-control-request-method it is no preflight.
      [
        { method: "OPTIONS", headers: { origin: "https://a" } },
        { from: "reviews", headers: { "access-control-allow-origin": "https://a" } },
      ],
      [
        { path: "/direct", headers: { origin: "https://a" } },
        { status: 410, body: "gone", headers: { "access-control-allow-origin": undefined } },
      ],
      [preflight("/direct", "https://a"), { status: 410 }],
      // The fault filter is before the CORS filter.
      [
        { path: "/fault", headers: { origin: "https://a" } },
        { status: 503, headers: { "access-control-allow-origin": undefined } },
      ],
      [preflight("/any", "null"), permit("null", { "access-control-max-age": "1" })],
    ],
  },
  {
    name: "retries by status code; by default not what may have had an effect",
    http: `[{ match: [{ uri: { prefix: /codes } }], retries: { attempts: 1, retryOn: "503" }, ${all} },
            { ${all} }]`,
    calls: [
      [
        { path: "/codes", headers: { "x-fail": "503" } },
        { status: 200, seen: { "x-envoy-attempt-count": "2" } },
      ],
      [{ path: "/default", headers: { "x-fail": "503" } }, { status: 503 }],
      [{ path: "/default", headers: { "x-fail": "reset" } }, { status: 503 }],
    ],
  },
  {
    name: "a time-out is kept",
    http: `[{ match: [{ uri: { prefix: /short } }], timeout: 50ms, retries: { attempts: 0 }, ${all} }, { ${all} }]`,
    calls: [[{ path: "/short", headers: { "x-fail": "never" } }, { status: 504 }]],
  },
  {
    name: "what leads nowhere is answered 503",
    http: `[{ route: [{ destination: { host: nothing } }] }]`,
    calls: [[{}, { status: 503 }]],
  },
];

function preflight(path: string, origin: string): Call {
  return { path, method: "OPTIONS", headers: { origin, "access-control-request-method": "PUT" } };
}

function permit(origin: string, headers: Readonly<Record<string, string>>): Want {
  return { status: 200, body: "", headers: { "access-control-allow-origin": origin, ...headers } };
}
