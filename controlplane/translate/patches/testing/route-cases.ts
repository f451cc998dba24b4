import { type PatchCase, patch } from "./patch-case.ts";

const REVIEWS = "reviews.default.svc.cluster.local";
const OUTBOUND = { context: "SIDECAR_OUTBOUND" };
const header = (key: string): object => ({ response_headers_to_add: [{ header: { key, value: "x" } }] });
const inHost = (vhost: object, more: object = OUTBOUND): object => ({
  ...more,
  routeConfiguration: { vhost },
});

export const ROUTE_CONFIGURATION_CASES: readonly PatchCase[] = [
  {
    name: "MERGE, by port",
    patches: [
      patch(
        "ROUTE_CONFIGURATION",
        "MERGE",
        { ...OUTBOUND, routeConfiguration: { portNumber: 9080 } },
        { internal_only_headers: ["x-secret"], name: "not this" },
      ),
    ],
  },
  {
    name: "MERGE, of the routes that an inbound listener has in itself",
    patches: [
      patch(
        "ROUTE_CONFIGURATION",
        "MERGE",
        { context: "SIDECAR_INBOUND", routeConfiguration: { portNumber: 9080 } },
        header("x-in"),
      ),
    ],
  },
  {
    name: "MERGE, by name",
    patches: [
      patch("ROUTE_CONFIGURATION", "MERGE", { routeConfiguration: { name: "9080" } }, header("x-name")),
    ],
  },
  {
    name: "MERGE, of another port",
    patches: [patch("ROUTE_CONFIGURATION", "MERGE", { routeConfiguration: { portNumber: 80 } }, header("x"))],
    nothing: true,
  },
  {
    name: "MERGE_AND_REPLACE_LIST",
    patches: [
      patch("ROUTE_CONFIGURATION", "MERGE", OUTBOUND, { internal_only_headers: ["a"] }),
      patch("ROUTE_CONFIGURATION", "MERGE_AND_REPLACE_LIST", OUTBOUND, { internal_only_headers: ["b"] }),
    ],
  },
  {
    name: "REMOVE does nothing",
    patches: [patch("ROUTE_CONFIGURATION", "REMOVE", OUTBOUND)],
    nothing: true,
  },
  {
    name: "MERGE, by Gateway and port's name",
    patches: [
      patch(
        "ROUTE_CONFIGURATION",
        "MERGE",
        {
          context: "GATEWAY",
          routeConfiguration: { gateway: "istio-system/edge", portName: "https", portNumber: 443 },
        },
        header("x-edge"),
      ),
    ],
    role: "gateway",
  },
  {
    name: "MERGE, by a gateway's port of plain HTTP",
    patches: [
      patch(
        "ROUTE_CONFIGURATION",
        "MERGE",
        { context: "GATEWAY", routeConfiguration: { portNumber: 80 } },
        header("x-http"),
      ),
    ],
    role: "gateway",
  },
];

const extra = {
  name: "extra",
  domains: ["extra.example"],
  routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }],
};

export const VIRTUAL_HOST_CASES: readonly PatchCase[] = [
  {
    name: "MERGE, by name",
    patches: [patch("VIRTUAL_HOST", "MERGE", inHost({ name: `${REVIEWS}:9080` }), header("x-host"))],
  },
  {
    name: "MERGE, by domain",
    patches: [
      patch("VIRTUAL_HOST", "MERGE", inHost({ domainName: "reviews" }), { domains: ["reviews.example"] }),
    ],
  },
  {
    name: "MERGE_AND_REPLACE_LIST",
    patches: [
      patch("VIRTUAL_HOST", "MERGE_AND_REPLACE_LIST", inHost({ name: `${REVIEWS}:9080` }), {
        domains: ["reviews.example"],
      }),
    ],
  },
  {
    name: "ADD",
    patches: [patch("VIRTUAL_HOST", "ADD", { ...OUTBOUND, routeConfiguration: { portNumber: 9080 } }, extra)],
  },
  {
    name: "REPLACE, whose routes are patched like others",
    patches: [
      patch("VIRTUAL_HOST", "REPLACE", inHost({ name: "allow_any" }), { ...extra, domains: ["*"] }),
      patch("HTTP_ROUTE", "MERGE", inHost({ name: "extra" }), { name: "replaced" }),
    ],
  },
  { name: "REMOVE", patches: [patch("VIRTUAL_HOST", "REMOVE", inHost({ name: "allow_any" }))] },
  {
    name: "another host",
    patches: [patch("VIRTUAL_HOST", "REMOVE", inHost({ name: "none" }))],
    nothing: true,
  },
  {
    name: "inbound",
    patches: [
      patch("VIRTUAL_HOST", "MERGE", inHost({ name: "inbound|http|9080" }, { context: "SIDECAR_INBOUND" }), {
        request_headers_to_remove: ["x-debug"],
      }),
    ],
  },
];

const health = { name: "health", match: { path: "/healthz" }, direct_response: { status: 200 } };
const ofReviews = (route?: object): object =>
  inHost({ name: `${REVIEWS}:9080`, ...(route === undefined ? {} : { route }) });

export const HTTP_ROUTE_CASES: readonly PatchCase[] = [
  {
    name: "MERGE, by name",
    patches: [patch("HTTP_ROUTE", "MERGE", ofReviews({ name: "canary" }), { route: { timeout: "5s" } })],
  },
  {
    name: "MERGE, every route of an action",
    patches: [
      patch("HTTP_ROUTE", "MERGE", inHost({ route: { action: "ROUTE" } }), {
        route: { retry_policy: { retry_on: "5xx", num_retries: 4 } },
      }),
    ],
  },
  {
    name: "MERGE, redirects and direct responses",
    patches: [
      patch("HTTP_ROUTE", "MERGE", ofReviews({ action: "REDIRECT" }), {
        redirect: { response_code: "SEE_OTHER" },
      }),
      patch("HTTP_ROUTE", "MERGE", ofReviews({ action: "DIRECT_RESPONSE" }), {
        direct_response: { body: { inline_string: "short and stout" } },
      }),
    ],
  },
  {
    name: "MERGE of another action takes the place of the first",
    patches: [patch("HTTP_ROUTE", "MERGE", ofReviews({ name: "old" }), { direct_response: { status: 410 } })],
  },
  {
    name: "MERGE_AND_REPLACE_LIST",
    patches: [
      patch("HTTP_ROUTE", "MERGE", ofReviews({ name: "canary" }), { request_headers_to_remove: ["a"] }),
      patch("HTTP_ROUTE", "MERGE_AND_REPLACE_LIST", ofReviews({ name: "canary" }), {
        request_headers_to_remove: ["b"],
      }),
    ],
  },
  {
    name: "MERGE of what a route has for a filter",
    patches: [
      patch("HTTP_ROUTE", "MERGE", ofReviews({ name: "canary" }), {
        typed_per_filter_config: {
          "envoy.filters.http.lua": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute",
            disabled: true,
          },
        },
      }),
    ],
  },
  { name: "ADD", patches: [patch("HTTP_ROUTE", "ADD", ofReviews(), health)] },
  { name: "INSERT_FIRST", patches: [patch("HTTP_ROUTE", "INSERT_FIRST", ofReviews(), health)] },
  {
    name: "INSERT_FIRST where a route is that is not the first",
    patches: [patch("HTTP_ROUTE", "INSERT_FIRST", inHost({ route: { name: "canary" } }), health)],
  },
  {
    name: "INSERT_BEFORE",
    patches: [patch("HTTP_ROUTE", "INSERT_BEFORE", ofReviews({ name: "canary" }), health)],
  },
  {
    name: "INSERT_BEFORE that names no route",
    patches: [patch("HTTP_ROUTE", "INSERT_BEFORE", ofReviews(), health)],
  },
  {
    name: "INSERT_AFTER",
    patches: [patch("HTTP_ROUTE", "INSERT_AFTER", ofReviews({ name: "old" }), health)],
  },
  {
    name: "INSERT_AFTER that names no route",
    patches: [patch("HTTP_ROUTE", "INSERT_AFTER", ofReviews(), health)],
  },
  { name: "REMOVE", patches: [patch("HTTP_ROUTE", "REMOVE", ofReviews({ name: "teapot" }))] },
  { name: "REMOVE that names no route takes all", patches: [patch("HTTP_ROUTE", "REMOVE", ofReviews())] },
  {
    name: "REPLACE does nothing",
    patches: [patch("HTTP_ROUTE", "REPLACE", ofReviews({ name: "old" }), health)],
    nothing: true,
  },
];
