import { OpenTelemetryConfig } from "../../mesh/xds/gen/envoy/config/trace/v3/opentelemetry.ts";
import {
  ZipkinConfig_CollectorEndpointVersion as Version,
  ZipkinConfig,
} from "../../mesh/xds/gen/envoy/config/trace/v3/zipkin.ts";
import type { HttpConnectionManager_Tracing as Message } from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { CustomTag } from "../../mesh/xds/gen/envoy/type/tracing/v3/custom_tag.ts";
import type { Percent } from "../../mesh/xds/gen/envoy/type/v3/percent.ts";
import type { Tracer, TraceTag, Tracing } from "../model/tracing.ts";
import { onlyFields, required, unsupported } from "./refuse.ts";
import { anyType, decode } from "./values.ts";

const LONGEST_PATH = 256;

export function parseTracing(parent: string, from: Message): Tracing {
  const where = `${parent}: tracing`;
  onlyFields(where, from, [
    "clientSampling",
    "randomSampling",
    "overallSampling",
    "maxPathTagLength",
    "customTags",
    "provider",
  ]);
  return {
    tracer: parseTracer(where, from),
    clientSampling: share(from.clientSampling),
    randomSampling: share(from.randomSampling),
    overallSampling: share(from.overallSampling),
    longestPath: from.maxPathTagLength ?? LONGEST_PATH,
    tags: from.customTags.map((tag) => parseTag(where, tag)),
  };
}

function share(percent: Percent | undefined): number {
  return percent === undefined ? 1 : Math.min(1, percent.value / 100);
}

function parseTag(where: string, { tag: name, literal, environment, requestHeader }: CustomTag): TraceTag {
  if (literal !== undefined) return { name, kind: "literal", value: literal.value };
  if (environment !== undefined) {
    const { name: variable, defaultValue } = environment;
    return { name, kind: "literal", value: process.env[variable] ?? defaultValue };
  }
  if (requestHeader === undefined) throw unsupported(where, `the kind of the tag "${name}"`);
  return {
    name,
    kind: "header",
    header: requestHeader.name.toLowerCase(),
    fallback: requestHeader.defaultValue,
  };
}

function parseTracer(where: string, { provider }: Message): Tracer {
  const { name, typedConfig } = required(where, "provider", provider);
  const bytes = typedConfig?.value ?? new Uint8Array();
  switch (anyType(typedConfig)) {
    case "envoy.config.trace.v3.OpenTelemetryConfig": {
      const from = decode(where, OpenTelemetryConfig, bytes);
      onlyFields(where, from, ["grpcService", "serviceName"]);
      const { clusterName, authority } = required(where, "envoy_grpc", from.grpcService?.envoyGrpc);
      const service = from.serviceName || "unknown_service:envoy";
      return { kind: "otlp", cluster: clusterName, authority: authority || clusterName, service };
    }
    case "envoy.config.trace.v3.ZipkinConfig": {
      const from = decode(where, ZipkinConfig, bytes);
      onlyFields(where, from, [
        "collectorCluster",
        "collectorEndpoint",
        "collectorEndpointVersion",
        "collectorHostname",
        "traceId128bit",
        "sharedSpanContext",
      ]);
      if (from.collectorEndpointVersion !== Version.HTTP_JSON)
        throw unsupported(where, "a zipkin collector that takes no JSON of version 2");
      const { collectorCluster: cluster, collectorEndpoint: path, collectorHostname } = from;
      return { kind: "zipkin", cluster, authority: collectorHostname || cluster, path };
    }
    default:
      throw unsupported(where, `the tracer "${name}"`);
  }
}
