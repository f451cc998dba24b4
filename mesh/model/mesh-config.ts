import type { AuthorizationProvider } from "./authorization-provider.ts";
import type { ClientTls, LocalityLoadBalancing, TcpKeepalive, TrafficPolicy } from "./destination-rule.ts";
import type { OutboundTrafficPolicy } from "./sidecar.ts";
import type { DefaultProviders, TelemetryProvider } from "./telemetry.ts";
import type { RetryPolicy } from "./virtual-service.ts";

/** Mesh-wide settings with Istio's names: those that have a meaning here. Undefined: the default. */
export interface MeshConfigSpec {
  readonly trustDomain: string | undefined;
  readonly trustDomainAliases: readonly string[];
  readonly rootNamespace: string | undefined;
  readonly outboundTrafficPolicy: OutboundTrafficPolicy["mode"] | undefined;
  /** How hosts are called that are looked up call by call (`ALLOW_ANY_DYNAMIC_DNS`); undefined: in plaintext. */
  readonly unknownHostTls: ClientTls | undefined;
  /** `LOCALHOST`: the application is called at 127.0.0.1; `PASSTHROUGH`: at the address that was called. */
  readonly inboundTrafficPolicy: "PASSTHROUGH" | "LOCALHOST" | undefined;
  readonly enableAutoMtls: boolean | undefined;
  readonly defaultServiceExportTo: readonly string[];
  readonly defaultVirtualServiceExportTo: readonly string[];
  readonly defaultDestinationRuleExportTo: readonly string[];
  readonly localityLbSetting: LocalityLoadBalancing | undefined;
  readonly defaultHttpRetryPolicy: RetryPolicy | undefined;
  /** Below every DestinationRule. */
  readonly defaultTrafficPolicy: TrafficPolicy | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly tcpKeepalive: TcpKeepalive | undefined;
  readonly dnsRefreshRateMs: number | undefined;
  readonly protocolDetectionTimeoutMs: number | undefined;
  readonly h2UpgradePolicy: "DO_NOT_UPGRADE" | "UPGRADE" | undefined;
  /** Port of the HTTP forward proxy at 127.0.0.1; undefined: none. */
  readonly proxyHttpPort: number | undefined;
  readonly pathNormalization: "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES" | undefined;
  /** Of TLS between proxies of the mesh. */
  readonly meshMtls: TlsLimits | undefined;
  /** Of all other TLS that proxies speak, where neither a Gateway nor a Sidecar says more. */
  readonly tlsDefaults: TlsLimits | undefined;
  readonly accessLog:
    | { readonly file: string; readonly format: string; readonly encoding: "TEXT" | "JSON" }
    | undefined;
  /** Whether proxies tell their agents of the calls that come in; undefined: they do. */
  readonly enableEnvoyAccessLogService: boolean | undefined;
  /** How traffic is captured of workloads that files alone know: on a host its agent says it. */
  readonly interceptionMode: "NONE" | "REDIRECT" | "TPROXY" | undefined;
  readonly concurrency: number | undefined;
  /** Whom AuthorizationPolicies with action CUSTOM name. */
  readonly authorizationProviders: readonly AuthorizationProvider[];
  /** Where Telemetry's logs and spans go. */
  readonly telemetryProviders: readonly TelemetryProvider[];
  readonly defaultProviders: DefaultProviders;
  /** Networks and the gateways through which they are reached (`MeshNetworks`). */
  readonly networks: Readonly<Record<string, MeshNetwork>>;
}

/** What may be negotiated; empty: what Envoy has by itself. */
export interface TlsLimits {
  readonly minProtocolVersion: "TLSV1_2" | "TLSV1_3" | undefined;
  /** OpenSSL names, of TLS 1.2. */
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
}

export interface MeshNetwork {
  /** CIDR blocks of its endpoints. */
  readonly cidrs: readonly string[];
  readonly gateways: readonly {
    /** IP address, host name, or the host of a service; whichever is given. */
    readonly address: string;
    readonly service: string;
    readonly port: number;
    readonly locality: string;
  }[];
}

/** Nothing said. */
export const DEFAULT_MESH_CONFIG: MeshConfigSpec = {
  trustDomain: undefined,
  trustDomainAliases: [],
  rootNamespace: undefined,
  outboundTrafficPolicy: undefined,
  unknownHostTls: undefined,
  inboundTrafficPolicy: undefined,
  enableAutoMtls: undefined,
  defaultServiceExportTo: [],
  defaultVirtualServiceExportTo: [],
  defaultDestinationRuleExportTo: [],
  localityLbSetting: undefined,
  defaultHttpRetryPolicy: undefined,
  defaultTrafficPolicy: undefined,
  connectTimeoutMs: undefined,
  tcpKeepalive: undefined,
  dnsRefreshRateMs: undefined,
  protocolDetectionTimeoutMs: undefined,
  h2UpgradePolicy: undefined,
  proxyHttpPort: undefined,
  pathNormalization: undefined,
  meshMtls: undefined,
  tlsDefaults: undefined,
  accessLog: undefined,
  enableEnvoyAccessLogService: undefined,
  interceptionMode: undefined,
  concurrency: undefined,
  authorizationProviders: [],
  telemetryProviders: [],
  defaultProviders: { accessLogging: [], tracing: [] },
  networks: {},
};
