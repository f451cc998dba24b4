import { isIP } from "node:net";
import * as z from "zod";
import { clientTls } from "./client-tls.schema.ts";
import { tcpKeepalive } from "./connection-pool.schema.ts";
import { isHostName } from "./dns-names.ts";
import type { MeshConfigSpec } from "./mesh-config.ts";
import { proxyImage } from "./proxy-config.schema.ts";
import { count, duration, portNumber, text, textThat } from "./scalars.schema.ts";
import { type Notice, notYet, withNotice } from "./schema-notice.ts";
import { problemCheck } from "./schema-rule.ts";

type ProxySettings = Pick<MeshConfigSpec, "interceptionMode" | "concurrency">;

const SECOND_MS = 1000;
const LARGEST_INT32 = 2 ** 31 - 1;
/** RFC 9113 §6.9.2: no window is smaller at its start. */
const LEAST_WINDOW = 65_535;

const proxyAddress = textThat(isProxyAddress, "an address with a port: host:port");
/** Where `$(HOST_IP)` may stand for the host's address. */
const tracerAddress = textThat(
  (written) => isProxyAddress(written.replace("$(HOST_IP)", "127.0.0.1")),
  "an address with a port: host:port",
);
const positive = z.int().min(1).max(LARGEST_INT32);
const window = z.int().min(LEAST_WINDOW).max(LARGEST_INT32);

const remoteService = z.object({
  address: proxyAddress.optional(),
  tlsSettings: clientTls.optional(),
  tcpKeepalive: tcpKeepalive.optional(),
});

const tracing = z.object({
  zipkin: z.object({ address: tracerAddress }).optional(),
  lightstep: z.object({ address: proxyAddress, accessToken: textThat(() => true, "") }).optional(),
  datadog: z.object({ address: tracerAddress }).optional(),
  stackdriver: z.looseObject({}).optional(),
  openCensusAgent: z.looseObject({}).optional(),
  customTags: z.record(z.string(), z.looseObject({})).optional(),
  maxPathTagLength: count.optional(),
  sampling: z.number().optional(),
  tlsSettings: clientTls.optional(),
  enableIstioTags: z.boolean().optional(),
});

/** Some microseconds, which other durations do not know. */
const pollDelay = textThat(
  (written) => /^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(written) && /[1-9]/.test(written),
  "a duration above zero",
);

const acceleration = z.object({ pollDelay, fallback: z.boolean().optional() });

const connectionSettings = z.object({
  profile: z.enum(["SIDECAR", "EDGE"]).optional(),
  listenerPerConnectionBufferLimitBytes: count.optional(),
  clusterPerConnectionBufferLimitBytes: count.optional(),
  httpIdleTimeout: duration(0).optional(),
  httpMaxConnectionDuration: duration(0).optional(),
  httpDrainTimeout: duration(0).optional(),
  httpRequestTimeout: duration(0).optional(),
  httpRequestHeadersTimeout: duration(0).optional(),
  httpStreamIdleTimeout: duration(0).optional(),
  httpMaxStreamDuration: duration(0).optional(),
  httpMaxConcurrentStreams: positive.optional(),
  http2InitialStreamWindowSize: window.optional(),
  http2InitialConnectionWindowSize: window.optional(),
  httpHeadersWithUnderscoresAction: text.optional(),
  httpMergeSlashes: z.boolean().optional(),
  httpPathWithEscapedSlashesAction: text.optional(),
  listenerConnectionLimit: positive.optional(),
  globalDownstreamConnectionLimit: positive.optional(),
});

/** What Istio's ProxyConfig has beside these and Lateen does not look into. */
const UNREAD = [
  "availabilityZone",
  "binaryPath",
  "caCertificatesPem",
  "configPath",
  "customConfigFile",
  "discoveryRefreshDelay",
  "envoyMetricsServiceAddress",
  "extraStatTags",
  "fileFlushInterval",
  "fileFlushMinSizeKb",
  "gatewayTopology",
  "holdApplicationUntilProxyStarts",
  "meshId",
  "proxyBootstrapTemplatePath",
  "proxyHeaders",
  "proxyMetadata",
  "proxyStatsMatcher",
  "readinessProbe",
  "runtimeValues",
  "sds",
  "serviceCluster",
  "statNameLength",
  "statsCompression",
  "terminationDrainDuration",
  "tracingServiceName",
  "zipkinAddress",
] as const;

/** `defaultConfig` of MeshConfig: Istio's ProxyConfig of the mesh. */
export const meshProxyConfig: z.ZodType<ProxySettings> = z
  .object({
    interceptionMode: withNotice(
      z.enum(["REDIRECT", "TPROXY", "NONE"]).optional(),
      saidByAgents("counts for workloads of files alone", "what is captured there"),
    ),
    concurrency: count.optional(),
    drainDuration: withNotice(
      duration(1)
        .check(problemCheck((ms) => (ms % SECOND_MS === 0 ? undefined : "must be a whole number of seconds")))
        .optional(),
      saidByAgents("has no effect", "how long a drain takes (drainSeconds)"),
    ),
    image: proxyImage.optional(),
    discoveryAddress: notYet(proxyAddress.optional()),
    statsdUdpAddress: notYet(proxyAddress.optional()),
    envoyAccessLogService: notYet(remoteService.optional()),
    envoyMetricsService: notYet(remoteService.optional()),
    proxyAdminPort: notYet(portNumber.optional()),
    statusPort: notYet(portNumber.optional()),
    controlPlaneAuthPolicy: notYet(z.enum(["NONE", "MUTUAL_TLS"]).optional()),
    tracing: notYet(tracing.optional()),
    privateKeyProvider: notYet(
      z.object({ cryptomb: acceleration.optional(), qat: acceleration.optional() }).optional(),
    ),
    connectionSettings: notYet(connectionSettings.optional()),
    ...Object.fromEntries(UNREAD.map((field) => [field, notYet()])),
  })
  .transform(({ interceptionMode, concurrency }) => ({ interceptionMode, concurrency }));

/** For what is not the mesh's but the host's to say. */
function saidByAgents(effect: string, what: string): Notice {
  return (value) => (value === undefined ? undefined : `${effect}: each host's agent says ${what}`);
}

function isProxyAddress(written: string): boolean {
  const {
    v6,
    host = "",
    port,
  } = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+)):(?<port>\d{1,5})$/.exec(written)?.groups ?? {};
  const known = v6 === undefined ? isHostName(host) || isIP(host) === 4 : isIP(v6) === 6;
  return known && Number(port) >= 1 && Number(port) <= 65535;
}
