import * as z from "zod";
import { connectionPool, tcpKeepalive } from "./connection-pool.schema.ts";
import type { TrafficPolicy } from "./destination-rule.ts";
import { isDnsSubdomain } from "./dns-names.ts";
import { extensionProviders } from "./extension-providers.schema.ts";
import { retries } from "./http-retry.schema.ts";
import { localityLbSetting, zoneAwareLbSetting } from "./locality-load-balancing.schema.ts";
import type { MeshConfigSpec } from "./mesh-config.ts";
import { meshNetworks, networks } from "./mesh-networks.schema.ts";
import { meshProxyConfig } from "./mesh-proxy-config.schema.ts";
import { meshOutboundPolicy } from "./outbound-traffic-policy.schema.ts";
import { outlierDetection } from "./outlier-detection.schema.ts";
import {
  dnsLabel,
  duration,
  optionalText,
  portNumber,
  serviceExportTo,
  textThat,
  wildcardHost,
} from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import { problemCheck, rule } from "./schema-rule.ts";
import { defaultProviders } from "./telemetry-provider.schema.ts";
import { meshMtls, tlsDefaults } from "./tls-limits.schema.ts";

const HOUR_MS = 3_600_000;

/** Istio allows a final dot. */
const trustDomain = textThat(
  (written) => isDnsSubdomain(written.replace(/(?<=.)\.$/, "")),
  "a trust domain: DNS labels joined by dots",
);

const inboundTrafficPolicy = z
  .object({ mode: z.enum(["PASSTHROUGH", "LOCALHOST"]).default("PASSTHROUGH") })
  .transform(({ mode }) => mode);

const pathNormalization = z
  .object({
    normalization: z
      .enum(["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"])
      .default("DEFAULT"),
  })
  .transform(({ normalization }) => (normalization === "DEFAULT" ? undefined : normalization));

const defaultTrafficPolicy: z.ZodType<TrafficPolicy> = z
  .object({ connectionPool: connectionPool.optional(), outlierDetection: outlierDetection.optional() })
  .transform(({ connectionPool, outlierDetection }) => ({
    connectionPool,
    outlierDetection,
    loadBalancer: undefined,
    tls: undefined,
    portLevelSettings: [],
    tunnel: undefined,
    proxyProtocol: undefined,
    retryBudget: undefined,
  }));

/** What Istio's MeshConfig has beside these and Lateen does not look into. */
const UNREAD = [
  "ca",
  "caCertificates",
  "certificates",
  "configSources",
  "disableEnvoyListenerLog",
  "discoverySelectors",
  "enablePrometheusMerge",
  "enableTracing",
  "hboneIdleTimeout",
  "inboundClusterStatName",
  "ingressClass",
  "ingressControllerMode",
  "ingressSelector",
  "ingressService",
  "outboundClusterStatName",
  "proxyInboundListenPort",
  "serviceEntryVisibility",
  "serviceScopeConfigs",
  "verifyCertificateAtClient",
] as const;

/** MeshConfig's fields by Istio's rules; a document has them under `spec`. */
export const meshConfigSpec: z.ZodType<MeshConfigSpec> = z
  .object({
    trustDomain: trustDomain.optional(),
    trustDomainAliases: z.array(trustDomain).default([]),
    rootNamespace: dnsLabel.optional(),
    outboundTrafficPolicy: meshOutboundPolicy.optional(),
    inboundTrafficPolicy: inboundTrafficPolicy.optional(),
    enableAutoMtls: z.boolean().optional(),
    defaultServiceExportTo: serviceExportTo,
    defaultVirtualServiceExportTo: serviceExportTo,
    defaultDestinationRuleExportTo: serviceExportTo,
    localityLbSetting: localityLbSetting.optional(),
    defaultHttpRetryPolicy: retries.optional(),
    defaultTrafficPolicy: defaultTrafficPolicy.optional(),
    connectTimeout: duration(1)
      .check(problemCheck((ms) => (ms > HOUR_MS ? "must be at most 1h" : undefined)))
      .optional(),
    tcpKeepalive: tcpKeepalive.optional(),
    dnsRefreshRate: duration(1).optional(),
    protocolDetectionTimeout: duration(0).optional(),
    h2UpgradePolicy: z.enum(["DO_NOT_UPGRADE", "UPGRADE"]).optional(),
    proxyHttpPort: z.int().min(0).max(65535).default(0),
    pathNormalization: pathNormalization.optional(),
    meshMTLS: meshMtls.optional(),
    accessLogFile: optionalText,
    accessLogFormat: optionalText,
    accessLogEncoding: z.enum(["TEXT", "JSON"]).default("TEXT"),
    defaultProviders: defaultProviders.default({ accessLogging: [], tracing: [] }),
    enableEnvoyAccessLogService: z.boolean().optional(),
    defaultConfig: meshProxyConfig.prefault({}),
    extensionProviders: extensionProviders.default({ authorization: [], telemetry: [] }),
    networks: networks.default({}),
    meshNetworks: meshNetworks.default({}),
    zoneAwareLbSetting: notYet(zoneAwareLbSetting.optional()),
    defaultInboundHttpRetryPolicy: notYet(retries.optional()),
    proxyListenPort: notYet(portNumber.optional()),
    serviceSettings: notYet(z.array(z.looseObject({ hosts: z.array(wildcardHost).optional() })).optional()),
    tlsDefaults: tlsDefaults.optional(),
    ...Object.fromEntries(UNREAD.map((field) => [field, notYet()])),
  })
  .check(
    rule(["networks", "meshNetworks"], ({ networks, meshNetworks }, report) => {
      for (const name of Object.keys(meshNetworks)) {
        if (Object.hasOwn(networks, name))
          report(["meshNetworks", "networks", name], "is under networks too: say it once");
      }
    }),
  )
  .transform(({ meshMTLS, networks, meshNetworks, defaultConfig, ...mesh }) => ({
    trustDomain: mesh.trustDomain,
    trustDomainAliases: mesh.trustDomainAliases,
    rootNamespace: mesh.rootNamespace,
    outboundTrafficPolicy: mesh.outboundTrafficPolicy?.mode,
    unknownHostTls: mesh.outboundTrafficPolicy?.unknownHostTls,
    inboundTrafficPolicy: mesh.inboundTrafficPolicy,
    enableAutoMtls: mesh.enableAutoMtls,
    defaultServiceExportTo: mesh.defaultServiceExportTo,
    defaultVirtualServiceExportTo: mesh.defaultVirtualServiceExportTo,
    defaultDestinationRuleExportTo: mesh.defaultDestinationRuleExportTo,
    localityLbSetting: mesh.localityLbSetting,
    defaultHttpRetryPolicy: mesh.defaultHttpRetryPolicy,
    defaultTrafficPolicy: mesh.defaultTrafficPolicy,
    connectTimeoutMs: mesh.connectTimeout,
    tcpKeepalive: mesh.tcpKeepalive,
    dnsRefreshRateMs: mesh.dnsRefreshRate,
    protocolDetectionTimeoutMs: mesh.protocolDetectionTimeout,
    h2UpgradePolicy: mesh.h2UpgradePolicy,
    proxyHttpPort: mesh.proxyHttpPort === 0 ? undefined : mesh.proxyHttpPort,
    pathNormalization: mesh.pathNormalization,
    meshMtls: meshMTLS,
    tlsDefaults: mesh.tlsDefaults,
    accessLog:
      mesh.accessLogFile === ""
        ? undefined
        : { file: mesh.accessLogFile, format: mesh.accessLogFormat, encoding: mesh.accessLogEncoding },
    authorizationProviders: mesh.extensionProviders.authorization,
    telemetryProviders: mesh.extensionProviders.telemetry,
    defaultProviders: mesh.defaultProviders,
    enableEnvoyAccessLogService: mesh.enableEnvoyAccessLogService,
    ...defaultConfig,
    networks: { ...networks, ...meshNetworks },
  }));
