import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MeshError } from "../../mesh/errors.ts";
import { finish } from "../../mesh/lifecycle/slices.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import {
  address,
  downstreamTls,
  httpManager,
  httpRbac,
  meshCluster,
  routeConfig,
  router,
  routeTo,
  staticCluster,
  tcpProxy,
} from "../../test/harness/xds-samples.ts";
import { parseCluster } from "./cluster.ts";
import { parseLoadAssignment } from "./endpoints.ts";
import { parseListener } from "./listener.ts";
import { parseRouteConfiguration } from "./route.ts";
import { parseSecret } from "./tls.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
type Json = Record<string, JsonValue>;

const listener = (filters: Json[], fields: Json = {}): Json => ({
  name: "l",
  address: address(80),
  filterChains: [{ filters }],
  ...fields,
});
const manager = (fields: Json): Json =>
  listener([httpManager({ routeConfig: routeConfig("r", [routeTo("c")]), ...fields })]);
const route = (fields: Json, action: Json = {}): Json => routeConfig("r", [routeTo("c", fields, action)]);
const any = (type: string, fields: Json = {}): Json => ({
  "@type": `type.googleapis.com/${type}`,
  ...fields,
});
const rbacRule = (principal: Json): Json =>
  manager({
    httpFilters: [
      httpRbac({ policies: { p: { permissions: [{ any: true }], principals: [principal] } } }),
      router,
    ],
  });

const PARSE = {
  listener: parseListener,
  route: (bytes: Uint8Array, name: string) => finish(parseRouteConfiguration(bytes, name)),
  cluster: parseCluster,
  endpoints: parseLoadAssignment,
} as const;

const cases: readonly { kind: keyof typeof PARSE; resource: Json; want: string }[] = [
  {
    kind: "listener",
    resource: manager({
      httpFilters: [
        { name: "envoy.filters.http.lua", typedConfig: any("envoy.config.core.v3.Address") },
        router,
      ],
    }),
    want: 'listener x: http filter "envoy.filters.http.lua" is not implemented',
  },
  {
    kind: "listener",
    resource: manager({ httpFilters: [router, router] }),
    want: "listener x: http_connection_manager: the last HTTP filter, and no other, must be the router",
  },
  {
    kind: "listener",
    resource: manager({ useRemoteAddress: true, skipXffAppend: true }),
    want: "listener x: http_connection_manager: skip_xff_append is not implemented",
  },
  {
    kind: "listener",
    resource: manager({ codecType: "HTTP3" }),
    want: "listener x: http_connection_manager: HTTP/3 is not implemented",
  },
  {
    kind: "listener",
    resource: manager({ pathWithEscapedSlashesAction: "REJECT_REQUEST" }),
    want: "listener x: http_connection_manager: path_with_escaped_slashes_action 2 is not implemented",
  },
  {
    kind: "listener",
    resource: manager({ xffNumTrustedHops: 1 }),
    want: 'listener x: http_connection_manager: field "xff_num_trusted_hops" is not implemented',
  },
  {
    kind: "listener",
    resource: manager({ upgradeConfigs: [{ upgradeType: "CONNECT" }] }),
    want: 'listener x: http_connection_manager: upgrade to "CONNECT" is not implemented',
  },
  {
    kind: "listener",
    resource: listener([
      { name: "mongo", typedConfig: any("envoy.config.core.v3.Address") },
      tcpProxy({ cluster: "c" }),
    ]),
    want: 'listener x: network filter "mongo" is not implemented',
  },
  {
    kind: "listener",
    resource: listener([tcpProxy({ cluster: "c", hashPolicy: [{ filterState: { key: "k" } }] })]),
    want: "listener x: tcp_proxy: a hash policy that is not the source address alone is not implemented",
  },
  {
    kind: "listener",
    resource: listener([
      tcpProxy({ cluster: "c", tunnelingConfig: { hostname: "%REQUESTED_SERVER_NAME%:443" } }),
    ]),
    want: 'listener x: tcp_proxy: the format command in "%REQUESTED_SERVER_NAME%:443" is not implemented',
  },
  {
    kind: "listener",
    resource: listener([tcpProxy({ cluster: "c", tunnelingConfig: { hostname: "no port" } })]),
    want: 'listener x: tcp_proxy: a tunnel to "no port"',
  },
  {
    kind: "listener",
    resource: listener([
      tcpProxy({ cluster: "c", tunnelingConfig: { hostname: "a:1", propagateResponseHeaders: true } }),
    ]),
    want: 'listener x: tcp_proxy: tunneling_config: field "propagate_response_headers" is not implemented',
  },
  {
    kind: "listener",
    resource: listener([tcpProxy({ cluster: "c" })], { listenerFilters: [{ name: "proxy_protocol" }] }),
    want: 'listener x: listener filter "proxy_protocol" is not implemented',
  },
  {
    kind: "listener",
    resource: listener([tcpProxy({})]),
    want: "listener x: tcp_proxy: no cluster with a weight above 0",
  },
  {
    kind: "listener",
    resource: { name: "l", address: { pipe: { path: "/x" } }, filterChains: [] },
    want: "listener x: no filter chains",
  },
  {
    kind: "listener",
    resource: {
      name: "l",
      address: { pipe: { path: "/run/x.sock" } },
      filterChains: [{ filters: [tcpProxy({ cluster: "c" })], transportSocket: downstreamTls("tcp") }],
    },
    want: "listener x: TLS on a unix socket is not implemented",
  },
  {
    kind: "listener",
    resource: { ...listener([tcpProxy({ cluster: "c" })]), address: { pipe: { path: "x.sock" } } },
    want: 'listener x: "x.sock" is no absolute path of a unix socket',
  },
  {
    kind: "listener",
    resource: { ...listener([tcpProxy({ cluster: "c" })]), address: address(80, "localhost") },
    want: 'listener x: "localhost" is not an IP address',
  },
  {
    kind: "listener",
    resource: rbacRule({ metadata: { filter: "f" } }),
    want: 'listener x: http_connection_manager: http filter "envoy.filters.http.rbac": policy "p": principal: field "metadata" is not implemented',
  },
  {
    kind: "listener",
    resource: rbacRule({}),
    want: 'listener x: http_connection_manager: http filter "envoy.filters.http.rbac": policy "p": a principal without a rule',
  },
  {
    kind: "listener",
    resource: rbacRule({ remoteIp: { addressPrefix: "10.0.0.0", prefixLen: 33 } }),
    want: 'listener x: http_connection_manager: http filter "envoy.filters.http.rbac": policy "p": prefix length 33 is over 32',
  },
  {
    kind: "route",
    resource: route({}, { maxStreamDuration: { maxStreamDuration: "5s" } }),
    want: 'route configuration x: virtual host "r": route "0": action: a limit of the stream\'s duration (max_stream_duration) is not implemented',
  },
  {
    kind: "route",
    resource: route({}, { hashPolicy: [{ filterState: { key: "x" } }] }),
    want: 'route configuration x: virtual host "r": route "0": action: hash policy: a key that is not a header, a cookie, a query parameter or the source address is not implemented',
  },
  {
    kind: "route",
    resource: route(
      {},
      {
        hashPolicy: [{ header: { headerName: "x", regexRewrite: { pattern: { regex: "a" } } } }],
      },
    ),
    want: 'route configuration x: virtual host "r": route "0": action: hash policy: field "regex_rewrite" is not implemented',
  },
  {
    kind: "route",
    resource: route({}, { requestMirrorPolicies: [{ clusterHeader: "m" }] }),
    want: 'route configuration x: virtual host "r": route "0": action: mirror to "": field "cluster_header" is not implemented',
  },
  {
    kind: "route",
    resource: route({
      typedPerFilterConfig: {
        cors: any("envoy.extensions.filters.http.cors.v3.CorsPolicy", { allowPrivateNetworkAccess: true }),
      },
    }),
    want: 'route configuration x: virtual host "r": route "0": cors: field "allow_private_network_access" is not implemented',
  },
  {
    kind: "route",
    resource: route({}, { retryPolicy: { retryPriority: { name: "closest" } } }),
    want: 'route configuration x: virtual host "r": route "0": action: retry policy: retry priority "closest" is not implemented',
  },
  {
    kind: "route",
    resource: route({ match: { safeRegex: { regex: "(" } } }),
    want: 'route configuration x: virtual host "r": route "0": regex "(" does not compile: ',
  },
  {
    kind: "route",
    resource: route({}, { retryPolicy: { retryOn: "5xx,whenever" } }),
    want: 'route configuration x: virtual host "r": route "0": action: retry policy: retry_on "whenever" is not implemented',
  },
  {
    kind: "route",
    resource: route({ requestHeadersToAdd: [{ header: { key: "x", value: "%UPSTREAM_METADATA(y)%" } }] }),
    want: 'route configuration x: virtual host "r": route "0": header "x": the format command %UPSTREAM_METADATA(y)% is not implemented',
  },
  {
    kind: "route",
    resource: route({ requestHeadersToAdd: [{ header: { key: "x", value: "a\r\nb: c" } }] }),
    want: 'route configuration x: virtual host "r": route "0": the value of header "x" has control characters',
  },
  {
    kind: "route",
    resource: route({
      typedPerFilterConfig: { lua: any("envoy.config.route.v3.FilterConfig", { config: {} }) },
    }),
    want: 'route configuration x: virtual host "r": route "0": filter "lua" enabled by a route is not implemented',
  },
  {
    kind: "route",
    resource: route({
      typedPerFilterConfig: {
        "istio.alpn": any("envoy.config.route.v3.FilterConfig", { disabled: true }),
      },
    }),
    want: 'route configuration x: virtual host "r": route "0": field "disabled" is not implemented',
  },
  {
    kind: "cluster",
    resource: {
      ...staticCluster("c", []),
      typedExtensionProtocolOptions: {
        http: any("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", {
          outlierDetection: {
            errorMatcher: {
              httpResponseHeadersMatch: {
                headers: [{ name: ":status", stringMatch: { safeRegex: { regex: "4.." } } }],
              },
            },
          },
        }),
      },
    },
    want: "cluster x: outlier_detection: an error matcher that is no list of statuses is not implemented",
  },
  {
    kind: "route",
    resource: route({ typedPerFilterConfig: { cors: any("envoy.config.core.v3.Address") } }),
    want: 'route configuration x: virtual host "r": route "0": per-route configuration of filter "cors" is not implemented',
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], { type: "ORIGINAL_DST" }),
    want: "cluster x: ORIGINAL_DST with a load balancing policy of its own",
  },
  {
    kind: "cluster",
    resource: { name: "c", clusterType: { name: "envoy.clusters.aggregate" } },
    want: 'cluster x: cluster type "envoy.clusters.aggregate" is not implemented',
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80, 81], { type: "LOGICAL_DNS" }),
    want: "cluster x: LOGICAL_DNS with 2 endpoints",
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], { lbPolicy: "CLUSTER_PROVIDED" }),
    want: "cluster x: load balancing policy CLUSTER_PROVIDED is not implemented",
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], {
      lbPolicy: "RING_HASH",
      ringHashLbConfig: { hashFunction: "MURMUR_HASH_2" },
    }),
    want: "cluster x: hash function MURMUR_HASH_2 is not implemented",
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], { lbPolicy: "MAGLEV", maglevLbConfig: { tableSize: 1000 } }),
    want: "cluster x: a Maglev table of 1000, which is no prime up to 5000011",
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], { commonLbConfig: { zoneAwareLbConfig: {} } }),
    want: 'cluster x: common_lb_config: field "zone_aware_lb_config" is not implemented',
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], {
      healthChecks: [
        {
          timeout: "1s",
          interval: "1s",
          unhealthyThreshold: 1,
          healthyThreshold: 1,
          httpHealthCheck: { path: "/", serviceNameMatcher: { exact: "a" } },
        },
      ],
    }),
    want: 'cluster x: health_checks: http_health_check: field "service_name_matcher" is not implemented',
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], {
      transportSocket: { name: "quic", typedConfig: any("envoy.config.core.v3.Address") },
    }),
    want: 'cluster x: transport socket "quic" is not implemented',
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], {
      transportSocket: {
        name: "tls",
        typedConfig: any("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
          commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: { ads: {} } }] },
        }),
      },
    }),
    want: 'cluster x: transport socket "tls": TLS to an upstream without a validation context (the server would not be verified) is not implemented',
  },
  {
    kind: "cluster",
    resource: staticCluster("c", [80], {
      upstreamBindConfig: { sourceAddress: { address: "127.0.0.6", portValue: 0 }, freebind: true },
    }),
    want: 'cluster x: upstream_bind_config: field "freebind" is not implemented',
  },
  {
    kind: "endpoints",
    resource: {
      clusterName: "c",
      endpoints: [{ lbEndpoints: [{ endpoint: { address: address(80, "db.internal") } }] }],
    },
    want: 'endpoints x: "db.internal" is not an IP address',
  },
];

for (const { kind, resource, want } of cases) {
  test(`refuses by name: ${want}`, () => {
    const bytes = json.jsonToResource(TYPE_URL[kind], resource);
    assert.throws(
      () => PARSE[kind](bytes, "x"),
      (error: unknown) => {
        assert.ok(error instanceof MeshError);
        assert.ok(error.message.startsWith(want), error.message);
        assert.equal(error.code, want.endsWith("is not implemented") ? "proxy.unsupported" : "xds.rejected");
        return true;
      },
    );
  });
}

test("a client certificate that is asked for and not required is refused", () => {
  const tls = downstreamTls("http");
  (tls["typedConfig"] as Json)["requireClientCertificate"] = false;
  const resource = listener([httpManager({ routeConfig: routeConfig("r", [routeTo("c")]) })]);
  (resource["filterChains"] as Json[])[0] = {
    ...(resource["filterChains"] as Json[])[0],
    transportSocket: tls,
  };
  assert.throws(
    () => parseListener(json.jsonToResource(TYPE_URL.listener, resource), "x"),
    /not required is not implemented/,
  );
});

test("bytes that are no message are refused with the resource's name", () => {
  const garbage = Uint8Array.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]);
  for (const parse of [...Object.values(PARSE), parseSecret])
    assert.throws(() => parse(garbage, "x"), /x: cannot be decoded/);
});

test("a truncated or mutated resource is refused or read, but never breaks the parser", () => {
  const bytes = json.jsonToResource(TYPE_URL.cluster, meshCluster("c", "spiffe://cluster.local/ns/a/sa/b"));
  for (let at = 0; at < bytes.length; at++) {
    const mutated = Uint8Array.from(bytes);
    mutated[at] = (mutated[at] ?? 0) ^ 0x55;
    for (const input of [bytes.subarray(0, at), mutated]) {
      try {
        parseCluster(input, "x");
      } catch (error) {
        assert.ok(error instanceof MeshError, String(error));
      }
    }
  }
});
