import { LONGEST_DIRECT_RESPONSE } from "../route-configuration.ts";

type Json = { [key: string]: unknown };

const EXTENSIONS = "type.googleapis.com/envoy.extensions.filters";

/** A listener at 127.0.0.1 with the filters that our routes count on, for a bootstrap. */
export function listenerOf(port: number, virtualHosts: readonly unknown[]): Json {
  const filter = (name: string, type: string): Json => ({
    name: `envoy.filters.http.${name}`,
    typedConfig: { "@type": `${EXTENSIONS}.http.${name}.v3.${type}` },
  });
  const manager = {
    "@type": `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: "test",
    httpFilters: [filter("fault", "HTTPFault"), filter("cors", "Cors"), filter("router", "Router")],
    routeConfig: {
      virtualHosts,
      validateClusters: false,
      ignorePortInHostMatching: true,
      maxDirectResponseBodySizeBytes: LONGEST_DIRECT_RESPONSE,
    },
  };
  return {
    name: `listener-${port}`,
    address: { socketAddress: { address: "127.0.0.1", portValue: port } },
    filterChains: [{ filters: [{ name: "http", typedConfig: manager }] }],
  };
}
