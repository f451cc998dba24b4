import assert from "node:assert/strict";

type Json = { [key: string]: unknown };

/**
 * Puts the resources of a golden file into a static bootstrap: Envoy then validates each of them as it would from ADS,
 * which is itself configured but never called in `--mode validate`.
 */
export function staticBootstrap(resources: { readonly [type: string]: readonly Json[] }): Json {
  const listeners = (resources["listener"] ?? []).map((listener) =>
    inlineRoutes(listener, resources["route"] ?? []),
  );
  return {
    node: { id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local", cluster: "test" },
    dynamicResources: {
      adsConfig: {
        apiType: "DELTA_GRPC",
        transportApiVersion: "V3",
        grpcServices: [{ envoyGrpc: { clusterName: "ads" } }],
      },
    },
    staticResources: {
      listeners,
      clusters: [
        ...(resources["cluster"] ?? []),
        ...(resources["endpoints"] ?? []).map(asStatic),
        ADS_CLUSTER,
      ],
    },
  };
}

/** An assignment is looked at as part of a cluster, since a bootstrap has no place for one by itself. */
function asStatic(loadAssignment: Json, index: number): Json {
  return { name: `assignment-${index}`, type: "STATIC", connectTimeout: "1s", loadAssignment };
}

const ADS_CLUSTER: Json = {
  name: "ads",
  type: "STATIC",
  connectTimeout: "1s",
  typedExtensionProtocolOptions: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicitHttpConfig: { http2ProtocolOptions: {} },
    },
  },
  loadAssignment: {
    clusterName: "ads",
    endpoints: [{ lbEndpoints: [{ endpoint: { address: { pipe: { path: "/nowhere/xds.sock" } } } }] }],
  },
};

/** Validation fetches nothing, so the routes that RDS would bring are written into the listener that asks for them. */
function inlineRoutes(value: unknown, routes: readonly Json[]): Json {
  const walk = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(walk);
    if (node === null || typeof node !== "object") return node;
    const { rds, ...rest } = node as { readonly rds?: { readonly routeConfigName: string } };
    const entries = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, walk(inner)]));
    if (rds === undefined) return entries;
    const routeConfig = routes.find((route) => route["name"] === rds.routeConfigName);
    assert.ok(routeConfig, `the golden file has the routes ${rds.routeConfigName}`);
    return { ...entries, routeConfig };
  };
  return walk(value) as Json;
}
