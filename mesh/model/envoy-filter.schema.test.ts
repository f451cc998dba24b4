import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const CONNECTION_MANAGER = "envoy.filters.network.http_connection_manager";
const ROUTER = { name: "envoy.filters.http.router" };

const ANYWHERE = {
  context: "ANY",
  proxy: { version: "", metadata: {} },
  listener: undefined,
  route: undefined,
  cluster: undefined,
} as const;

function patched(applyTo: string, fields: { readonly match?: object; readonly patch?: object } = {}): object {
  const patch = { operation: "MERGE", value: { name: "x" }, ...fields.patch };
  return {
    configPatches: [{ applyTo, ...(fields.match === undefined ? {} : { match: fields.match }), patch }],
  };
}

const good: readonly GoodCase<"EnvoyFilter">[] = [
  { name: "nothing", spec: {}, want: { workloadSelector: {}, configPatches: [], priority: 0 } },
  {
    name: "a patch of every cluster",
    spec: { workloadSelector: { labels: { app: "a" } }, priority: -5, ...patched("CLUSTER") },
    want: {
      workloadSelector: { app: "a" },
      priority: -5,
      configPatches: [
        {
          applyTo: "CLUSTER",
          match: ANYWHERE,
          operation: "MERGE",
          value: { name: "x" },
          filterClass: undefined,
        },
      ],
    },
  },
  {
    name: "a filter before the router",
    spec: patched("HTTP_FILTER", {
      match: {
        context: "SIDECAR_INBOUND",
        proxy: { proxyVersion: "^1\\.2.*", metadata: { a: "b" } },
        listener: {
          name: "virtualInbound",
          portNumber: 8080,
          portName: "http",
          listenerFilter: "envoy.filters.listener.tls_inspector",
          filterChain: {
            name: "default",
            sni: "a.b",
            transportProtocol: "tls",
            applicationProtocols: "h2,http/1.1",
            destinationPort: 80,
            filter: { name: CONNECTION_MANAGER, subFilter: ROUTER },
          },
        },
      },
      patch: { operation: "INSERT_BEFORE", filterClass: "AUTHZ" },
    }),
    want: {
      configPatches: [
        {
          applyTo: "HTTP_FILTER",
          match: {
            ...ANYWHERE,
            context: "SIDECAR_INBOUND",
            proxy: { version: "^1\\.2.*", metadata: { a: "b" } },
            listener: {
              name: "virtualInbound",
              portNumber: 8080,
              portName: "http",
              listenerFilter: "envoy.filters.listener.tls_inspector",
              filterChain: {
                name: "default",
                sni: "a.b",
                transportProtocol: "tls",
                applicationProtocols: "h2,http/1.1",
                destinationPort: 80,
                filter: { name: CONNECTION_MANAGER, subFilter: ROUTER.name },
              },
            },
          },
          operation: "INSERT_BEFORE",
          value: { name: "x" },
          filterClass: "AUTHZ",
        },
      ],
    },
  },
  {
    name: "a route, by its virtual host",
    spec: patched("HTTP_ROUTE", {
      match: {
        routeConfiguration: {
          portNumber: 0,
          gateway: "ns/gw",
          vhost: { name: "a.b:80", route: { action: "ROUTE" } },
        },
      },
    }),
    want: {
      configPatches: [
        {
          applyTo: "HTTP_ROUTE",
          match: {
            ...ANYWHERE,
            route: {
              name: "",
              portNumber: undefined,
              portName: "",
              gateway: "ns/gw",
              virtualHost: { name: "a.b:80", domainName: "", route: { name: "", action: "ROUTE" } },
            },
          },
          operation: "MERGE",
          value: { name: "x" },
          filterClass: undefined,
        },
      ],
    },
  },
  {
    name: "a removal, with and without a value",
    spec: {
      configPatches: [
        {
          applyTo: "CLUSTER",
          match: { cluster: { service: "a.b", subset: "v1" } },
          patch: { operation: "REMOVE" },
        },
        { applyTo: "CLUSTER", patch: { operation: "REMOVE", value: { name: "x" } } },
      ],
    },
    want: {
      configPatches: [
        {
          applyTo: "CLUSTER",
          match: { ...ANYWHERE, cluster: { name: "", portNumber: undefined, service: "a.b", subset: "v1" } },
          operation: "REMOVE",
          value: undefined,
          filterClass: undefined,
        },
        {
          applyTo: "CLUSTER",
          match: ANYWHERE,
          operation: "REMOVE",
          value: undefined,
          filterClass: undefined,
        },
      ],
    },
  },
  {
    name: "what has no match of its own takes any",
    spec: patched("EXTENSION_CONFIG", { match: { cluster: { name: "a" } } }),
  },
  {
    name: "a filter match where there is no filter to match",
    spec: patched("FILTER_CHAIN", { match: { listener: { filterChain: { filter: { name: "x" } } } } }),
    warnings: [
      ["spec.configPatches[0].match.listener.filterChain.filter", "has no effect with applyTo FILTER_CHAIN"],
    ],
  },
  {
    name: "a proxy version that is too long to be looked at",
    spec: patched("CLUSTER", { match: { proxy: { proxyVersion: "(".repeat(1025) } } }),
    want: {
      configPatches: [
        {
          applyTo: "CLUSTER",
          match: ANYWHERE,
          operation: "MERGE",
          value: { name: "x" },
          filterClass: undefined,
        },
      ],
    },
    warnings: [["spec.configPatches[0].match.proxy.proxyVersion", "is ignored"]],
  },
  {
    name: "a selector without labels",
    spec: { workloadSelector: { labels: {} }, ...patched("CLUSTER") },
    warnings: [["spec.workloadSelector", "has no labels"]],
  },
];

const at = (field: string): string => `spec.configPatches[0].${field}`;

const bad: readonly BadCase[] = [
  {
    name: "a patch of nothing",
    spec: { configPatches: [{ patch: { operation: "REMOVE" } }] },
    errors: [[at("applyTo"), "is required"]],
  },
  {
    name: "no patch",
    spec: { configPatches: [{ applyTo: "CLUSTER" }] },
    errors: [[at("patch"), "is required"]],
  },
  {
    name: "no operation",
    spec: { configPatches: [{ applyTo: "CLUSTER", patch: { value: {} } }] },
    errors: [[at("patch.operation"), "is required"]],
  },
  {
    name: "the names of nothing",
    spec: patched("INVALID", { patch: { operation: "INVALID", filterClass: "X" } }),
    errors: [
      [at("applyTo"), "must be one of"],
      [at("patch.operation"), "must be one of"],
      [at("patch.filterClass"), "must be one of"],
    ],
  },
  ...[
    "MERGE",
    "ADD",
    "INSERT_BEFORE",
    "INSERT_AFTER",
    "INSERT_FIRST",
    "REPLACE",
    "MERGE_AND_REPLACE_LIST",
  ].map((operation) => ({
    name: `${operation} without a value`,
    spec: { configPatches: [{ applyTo: "HTTP_FILTER", patch: { operation } }] },
    errors: [[at("patch.value"), `is required with operation ${operation}`]] as const,
  })),
  {
    name: "a value that is no message",
    spec: patched("CLUSTER", { patch: { value: ["x"] } }),
    errors: [[at("patch.value"), "must be a mapping, not a list"]],
  },
  {
    name: "types that no Envoy knows",
    spec: patched("HTTP_FILTER", {
      patch: {
        value: {
          typed_config: { "@type": "type.googleapis.com/envoy.config.filter.http.lua.v2.Lua" },
          list: [{ "@type": "envoy.config.cluster.v3.Cluster" }, { "@type": 1 }],
        },
      },
    }),
    errors: [
      [at('patch.value.typed_config["@type"]'), "version 2 API"],
      [at('patch.value.list[0]["@type"]'), "must be like type.googleapis.com/"],
      [at('patch.value.list[1]["@type"]'), "must be like type.googleapis.com/"],
    ],
  },
  {
    name: "a waypoint",
    spec: patched("HTTP_FILTER", { match: { context: "WAYPOINT", waypoint: {} } }),
    errors: [
      [at("match.context"), "ambient mode"],
      [at("match.waypoint"), "ambient mode"],
    ],
  },
  {
    name: "a proxy version that does not compile",
    spec: patched("CLUSTER", { match: { proxy: { proxyVersion: "(" } } }),
    errors: [[at("match.proxy.proxyVersion"), "is not a valid RE2 expression"]],
  },
  {
    name: "two matches",
    spec: patched("CLUSTER", { match: { cluster: {}, listener: {} } }),
    errors: [
      [at("match"), "must have only one of"],
      [at("match.listener"), "use cluster"],
    ],
  },
  ...(
    [
      ["LISTENER", "cluster", "listener"],
      ["FILTER_CHAIN", "routeConfiguration", "listener"],
      ["NETWORK_FILTER", "cluster", "listener"],
      ["HTTP_FILTER", "routeConfiguration", "listener"],
      ["ROUTE_CONFIGURATION", "listener", "routeConfiguration"],
      ["VIRTUAL_HOST", "cluster", "routeConfiguration"],
      ["HTTP_ROUTE", "listener", "routeConfiguration"],
      ["CLUSTER", "listener", "cluster"],
    ] as const
  ).map(([applyTo, given, wanted]) => ({
    name: `${applyTo} by ${given}`,
    spec: patched(applyTo, { match: { [given]: {} } }),
    errors: [[at(`match.${given}`), `use ${wanted}`]] as const,
  })),
  {
    name: "a filter without a name",
    spec: patched("NETWORK_FILTER", { match: { listener: { filterChain: { filter: {} } } } }),
    errors: [[at("match.listener.filterChain.filter.name"), "is required"]],
  },
  {
    name: "a filter inside a filter that is no HTTP filter",
    spec: patched("NETWORK_FILTER", {
      match: { listener: { filterChain: { filter: { name: CONNECTION_MANAGER, subFilter: ROUTER } } } },
    }),
    errors: [[at("match.listener.filterChain.filter.subFilter"), "only for applyTo HTTP_FILTER"]],
  },
  {
    name: "an HTTP filter of what has none",
    spec: patched("HTTP_FILTER", {
      match: {
        listener: { filterChain: { filter: { name: "envoy.filters.network.tcp_proxy", subFilter: ROUTER } } },
      },
    }),
    errors: [[at("match.listener.filterChain.filter.subFilter"), CONNECTION_MANAGER]],
  },
  {
    name: "an HTTP filter without a name",
    spec: patched("HTTP_FILTER", {
      match: { listener: { filterChain: { filter: { name: CONNECTION_MANAGER, subFilter: {} } } } },
    }),
    errors: [[at("match.listener.filterChain.filter.subFilter.name"), "is required"]],
  },
  {
    name: "a target of the Gateway API",
    spec: { targetRefs: [{ kind: "Gateway", name: "a" }], ...patched("CLUSTER") },
    errors: [["spec.targetRefs", "is not supported yet"]],
  },
];

testKind("EnvoyFilter", "networking.istio.io/v1alpha3", { good, bad });
