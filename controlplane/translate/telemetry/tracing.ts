import type { CustomTag as Tag, TelemetryProvider } from "../../../mesh/model/telemetry.ts";
import { OpenTelemetryConfig } from "../../../mesh/xds/gen/envoy/config/trace/v3/opentelemetry.ts";
import {
  ZipkinConfig_CollectorEndpointVersion as Version,
  ZipkinConfig,
} from "../../../mesh/xds/gen/envoy/config/trace/v3/zipkin.ts";
import { HttpConnectionManager_Tracing } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { CustomTag } from "../../../mesh/xds/gen/envoy/type/tracing/v3/custom_tag.ts";
import type { EffectiveTracing } from "../../policy/telemetry.ts";
import type { WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { pack } from "../any.ts";

const LONGEST_PATH = 256;

/** Whose spans they are. */
export interface Traced {
  /** `<canonical name>.<namespace>`. */
  readonly service: string;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * As Istio names the service of a span, and what it tells of the workload. Without a label it is the workload's service,
 * which its instances share, as pods share their Deployment.
 */
export function tracedAs({ namespace, labels, service, name }: WorkloadConfig, mesh: string): Traced {
  const canonical =
    labels["service.istio.io/canonical-name"] ??
    labels["app.kubernetes.io/name"] ??
    labels["app"] ??
    (service || name);
  const revision =
    labels["service.istio.io/canonical-revision"] ??
    labels["app.kubernetes.io/version"] ??
    labels["version"] ??
    "latest";
  return {
    service: `${canonical}.${namespace}`,
    tags: {
      "istio.canonical_revision": revision,
      "istio.canonical_service": canonical,
      "istio.mesh_id": mesh,
      "istio.namespace": namespace,
    },
  };
}

/** How requests are traced; `cluster`: where the provider is called. */
export function tracing(
  { provider, sampling, customTags }: EffectiveTracing,
  { service, tags }: Traced,
  cluster: string,
): HttpConnectionManager_Tracing {
  const longest = "maxTagLength" in provider ? provider.maxTagLength : undefined;
  return HttpConnectionManager_Tracing.fromPartial({
    clientSampling: { value: 100 },
    randomSampling: { value: sampling },
    overallSampling: { value: 100 },
    maxPathTagLength: longest ?? LONGEST_PATH,
    customTags: [
      ...Object.entries(tags).map(([tag, value]) => CustomTag.fromPartial({ tag, literal: { value } })),
      ...customTags.map(customTag),
    ],
    provider: tracer(provider, service, cluster),
  });
}

function customTag(tag: Tag): CustomTag {
  switch (tag.kind) {
    case "literal":
      return CustomTag.fromPartial({ tag: tag.name, literal: { value: tag.value } });
    case "environment":
      return CustomTag.fromPartial({
        tag: tag.name,
        environment: { name: tag.of, defaultValue: tag.fallback },
      });
    case "header":
      return CustomTag.fromPartial({
        tag: tag.name,
        requestHeader: { name: tag.of, defaultValue: tag.fallback },
      });
    default:
      return tag satisfies never;
  }
}

function tracer(
  provider: TelemetryProvider,
  serviceName: string,
  cluster: string,
): NonNullable<HttpConnectionManager_Tracing["provider"]> {
  const host = cluster.split("|")[3] ?? "";
  if (provider.kind === "zipkin") {
    const config = ZipkinConfig.fromPartial({
      collectorCluster: cluster,
      collectorEndpoint: provider.path,
      collectorEndpointVersion: Version.HTTP_JSON,
      collectorHostname: host,
      traceId128bit: true,
      sharedSpanContext: false,
    });
    return {
      name: "envoy.tracers.zipkin",
      typedConfig: pack("envoy.config.trace.v3.ZipkinConfig", ZipkinConfig, config),
    };
  }
  const config = OpenTelemetryConfig.fromPartial({
    grpcService: { envoyGrpc: { clusterName: cluster, authority: host } },
    serviceName,
  });
  return {
    name: "envoy.tracers.opentelemetry",
    typedConfig: pack("envoy.config.trace.v3.OpenTelemetryConfig", OpenTelemetryConfig, config),
  };
}
