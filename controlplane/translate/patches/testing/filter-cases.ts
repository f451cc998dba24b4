import { filter, lua, MANAGER, MANAGER_TYPE, type PatchCase, patch } from "./patch-case.ts";

const TCP = "envoy.filters.network.tcp_proxy";
const limiter = filter(
  "envoy.filters.network.connection_limit",
  "network.connection_limit.v3.ConnectionLimit",
  {
    stat_prefix: "limit",
    max_connections: "7",
  },
);
const inChain = (name: string, filterName?: string, context = "SIDECAR_OUTBOUND"): object => ({
  context,
  listener: { filterChain: { name, ...(filterName === undefined ? {} : { filter: { name: filterName } }) } },
});

export const NETWORK_FILTER_CASES: readonly PatchCase[] = [
  { name: "INSERT_FIRST", patches: [patch("NETWORK_FILTER", "INSERT_FIRST", inChain("a.example"), limiter)] },
  {
    name: "INSERT_BEFORE",
    patches: [patch("NETWORK_FILTER", "INSERT_BEFORE", inChain("a.example", TCP), limiter)],
  },
  {
    name: "INSERT_BEFORE, by the filter's former name",
    patches: [patch("NETWORK_FILTER", "INSERT_BEFORE", inChain("a.example", "envoy.tcp_proxy"), limiter)],
  },
  {
    name: "INSERT_BEFORE that names no filter",
    patches: [patch("NETWORK_FILTER", "INSERT_BEFORE", inChain("other"), limiter)],
  },
  {
    name: "INSERT_BEFORE a filter that is not there",
    patches: [patch("NETWORK_FILTER", "INSERT_BEFORE", inChain("a.example", "none"), limiter)],
    nothing: true,
  },
  {
    name: "INSERT_AFTER",
    patches: [
      patch("NETWORK_FILTER", "INSERT_FIRST", inChain("a.example"), limiter),
      patch(
        "NETWORK_FILTER",
        "INSERT_AFTER",
        inChain("a.example", "envoy.filters.network.connection_limit"),
        filter("second", "network.connection_limit.v3.ConnectionLimit", {
          stat_prefix: "second",
          max_connections: "8",
        }),
      ),
    ],
  },
  {
    name: "INSERT_AFTER that names no filter",
    patches: [patch("NETWORK_FILTER", "INSERT_AFTER", inChain("a.example"), limiter)],
    refused: true,
  },
  {
    name: "ADD, where the port of a virtual listener is a chain's",
    patches: [
      patch("NETWORK_FILTER", "ADD", { context: "SIDECAR_INBOUND", listener: { portNumber: 9080 } }, limiter),
    ],
    refused: true,
  },
  {
    name: "MERGE",
    patches: [
      patch(
        "NETWORK_FILTER",
        "MERGE",
        inChain("http", MANAGER),
        filter(MANAGER, MANAGER_TYPE, {
          common_http_protocol_options: { idle_timeout: "30s" },
          xff_num_trusted_hops: 2,
          use_remote_address: true,
        }),
      ),
    ],
  },
  {
    name: "MERGE of another type",
    patches: [patch("NETWORK_FILTER", "MERGE", inChain("http", MANAGER), filter("", "network.echo.v3.Echo"))],
    nothing: true,
  },
  {
    name: "MERGE_AND_REPLACE_LIST appends to what is inside a filter",
    patches: [
      patch(
        "NETWORK_FILTER",
        "MERGE_AND_REPLACE_LIST",
        inChain("http", "envoy.http_connection_manager"),
        filter(MANAGER, MANAGER_TYPE, { upgrade_configs: [{ upgrade_type: "websocket" }] }),
      ),
    ],
  },
  {
    name: "REPLACE",
    patches: [
      patch(
        "NETWORK_FILTER",
        "REPLACE",
        inChain("a.example", TCP),
        filter("envoy.filters.network.echo", "network.echo.v3.Echo"),
      ),
    ],
  },
  {
    name: "REPLACE that names no filter",
    patches: [patch("NETWORK_FILTER", "REPLACE", inChain("a.example"), limiter)],
    nothing: true,
  },
  {
    name: "REMOVE of what another patch has added",
    patches: [
      patch("NETWORK_FILTER", "INSERT_FIRST", inChain("a.example"), limiter),
      patch("NETWORK_FILTER", "REMOVE", inChain("a.example", "envoy.filters.network.connection_limit")),
    ],
    nothing: true,
  },
];

const within = (subFilter?: string, more: object = {}): object => ({
  context: "SIDECAR_OUTBOUND",
  listener: {
    ...more,
    filterChain: {
      filter: { name: MANAGER, ...(subFilter === undefined ? {} : { subFilter: { name: subFilter } }) },
    },
  },
});
const FAULT = "envoy.filters.http.fault";
const ROUTER = "envoy.filters.http.router";
const fault = (config: object): object => filter(FAULT, "http.fault.v3.HTTPFault", config);

export const HTTP_FILTER_CASES: readonly PatchCase[] = [
  {
    name: "INSERT_BEFORE the router",
    patches: [patch("HTTP_FILTER", "INSERT_BEFORE", within(ROUTER), lua())],
  },
  {
    name: "INSERT_BEFORE, both by former names",
    patches: [
      patch(
        "HTTP_FILTER",
        "INSERT_BEFORE",
        {
          listener: {
            name: "0.0.0.0_9080",
            filterChain: {
              filter: { name: "envoy.http_connection_manager", subFilter: { name: "envoy.router" } },
            },
          },
        },
        lua(),
      ),
    ],
  },
  {
    name: "INSERT_BEFORE that names no filter of HTTP",
    patches: [patch("HTTP_FILTER", "INSERT_BEFORE", within(), lua())],
  },
  {
    name: "INSERT_AFTER",
    patches: [patch("HTTP_FILTER", "INSERT_AFTER", within("envoy.filters.http.cors"), lua())],
  },
  {
    name: "INSERT_AFTER a filter that is not there",
    patches: [patch("HTTP_FILTER", "INSERT_AFTER", within("none"), lua())],
    nothing: true,
  },
  {
    name: "INSERT_FIRST, in every chain of a port",
    patches: [
      patch(
        "HTTP_FILTER",
        "INSERT_FIRST",
        { context: "SIDECAR_INBOUND", listener: { portNumber: 9080 } },
        filter("envoy.filters.http.local_ratelimit", "http.local_ratelimit.v3.LocalRateLimit", {
          stat_prefix: "limit",
          token_bucket: { max_tokens: 4, tokens_per_fill: 4, fill_interval: "60s" },
          filter_enabled: { default_value: { numerator: 100 } },
          filter_enforced: { default_value: { numerator: 100 } },
        }),
      ),
    ],
  },
  {
    name: "INSERT_FIRST of a TypedStruct",
    patches: [
      patch("HTTP_FILTER", "INSERT_FIRST", within(), {
        name: "envoy.filters.http.lua",
        typed_config: {
          "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
          type_url: "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
          value: { default_source_code: { inline_string: "--" } },
        },
      }),
    ],
  },
  { name: "ADD", patches: [patch("HTTP_FILTER", "ADD", within(), lua())], refused: true },
  {
    name: "MERGE",
    patches: [
      patch(
        "HTTP_FILTER",
        "MERGE",
        within(FAULT),
        fault({ abort: { http_status: 503, percentage: { numerator: 5 } }, max_active_faults: 3 }),
      ),
    ],
  },
  {
    name: "MERGE twice: the second finds what the first has left",
    patches: [
      patch("HTTP_FILTER", "MERGE", within(FAULT), fault({ downstream_nodes: ["a"] })),
      patch("HTTP_FILTER", "MERGE_AND_REPLACE_LIST", within(FAULT), fault({ downstream_nodes: ["b"] })),
    ],
  },
  {
    name: "REPLACE",
    patches: [patch("HTTP_FILTER", "REPLACE", within(FAULT), lua())],
  },
  { name: "REMOVE", patches: [patch("HTTP_FILTER", "REMOVE", within("envoy.cors"))] },
  {
    name: "REMOVE that names no filter of HTTP",
    patches: [patch("HTTP_FILTER", "REMOVE", within())],
    nothing: true,
  },
  {
    name: "in a gateway",
    patches: [patch("HTTP_FILTER", "INSERT_FIRST", { context: "GATEWAY" }, lua())],
    role: "gateway",
  },
  {
    name: "a chain without HTTP has no filters of HTTP",
    patches: [patch("HTTP_FILTER", "INSERT_FIRST", inChain("a.example"), lua())],
    nothing: true,
  },
];
