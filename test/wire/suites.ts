import { BALANCING_CASES, LOCALITY_CASES } from "./cases/balancing.ts";
import { DETECTION_CASES } from "./cases/detection.ts";
import { FILTER_CASES } from "./cases/envoy-filters.ts";
import { GATEWAY_TLS_CASES } from "./cases/gateway-tls.ts";
import { HTTP_CASES } from "./cases/http.ts";
import { HTTP2_CASES } from "./cases/http2.ts";
import { INBOUND_CASES } from "./cases/inbound.ts";
import { LAYER4_CASES } from "./cases/layer4.ts";
import { GATEWAY_CASES, MESH_CASES } from "./cases/mesh.ts";
import { PATCH_CASES } from "./cases/patches.ts";
import { OUTLIER_CASES, POOL_CASES } from "./cases/pools.ts";
import { RULE_CASES, TLS_CASES } from "./cases/rules.ts";
import { SERVICE_CASES, VISIBILITY_CASES } from "./cases/services.ts";
import { SHARED_HOST_CASES } from "./cases/shared-hosts.ts";
import { TELEMETRY_CASES } from "./cases/telemetry.ts";
import { TRACING_CASES } from "./cases/tracing.ts";
import type { WireCase } from "./wire-case.ts";

/** The whole table, by what it is about. */
export const WIRE_SUITES: Readonly<Record<string, readonly WireCase[]>> = {
  HTTP: HTTP_CASES,
  "TCP and TLS routes": LAYER4_CASES,
  "protocols that nobody says": DETECTION_CASES,
  services: SERVICE_CASES,
  "load balancing": BALANCING_CASES,
  localities: LOCALITY_CASES,
  "DestinationRules and VirtualServices that meet": RULE_CASES,
  "TLS and PROXY headers": TLS_CASES,
  MeshConfig: MESH_CASES,
  gateways: GATEWAY_CASES,
  "TLS of gateways": GATEWAY_TLS_CASES,
  "inbound listeners": INBOUND_CASES,
  EnvoyFilters: FILTER_CASES,
  "what EnvoyFilters patch": PATCH_CASES,
  "connection pools": POOL_CASES,
  "connections of HTTP/2": HTTP2_CASES,
  "outlier detection": OUTLIER_CASES,
  visibility: VISIBILITY_CASES,
  "hosts of several teams": SHARED_HOST_CASES,
  telemetry: TELEMETRY_CASES,
  tracing: TRACING_CASES,
};
