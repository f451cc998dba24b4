/** `telemetry.istio.io` Telemetry: which workloads log calls and trace requests, and where to. */
export interface TelemetrySpec {
  readonly selector: Readonly<Record<string, string>>;
  readonly accessLogging: readonly AccessLogging[];
  readonly tracing: readonly Tracing[];
}

/** Which side of calls is meant. Gateways are clients. */
export type WorkloadMode = "CLIENT" | "SERVER" | "CLIENT_AND_SERVER";

interface AccessLogging {
  readonly mode: WorkloadMode;
  /** Names; empty: those that are inherited. */
  readonly providers: readonly string[];
  /** Undefined: as inherited. */
  readonly disabled: boolean | undefined;
  /** A CEL expression: what is written. Undefined: as inherited. */
  readonly filter: string | undefined;
}

/** Undefined fields are as inherited. */
interface Tracing {
  readonly mode: WorkloadMode;
  readonly providers: readonly string[];
  readonly randomSamplingPercentage: number | undefined;
  readonly disableSpanReporting: boolean | undefined;
  readonly customTags: readonly CustomTag[] | undefined;
}

export type CustomTag = { readonly name: string } & (
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "environment" | "header"; readonly of: string; readonly fallback: string }
);

interface ProviderService {
  readonly name: string;
  /** `namespace` is empty where the client's own is meant. */
  readonly service: { readonly namespace: string; readonly host: string };
  readonly port: number;
}

/** A format of log entries; all empty: Istio's own. */
export interface ProviderFormat {
  readonly text: string;
  /** JSON. */
  readonly labels: Readonly<Record<string, unknown>> | undefined;
  readonly omitEmptyValues: boolean;
}

/** Where telemetry goes: an entry of MeshConfig's `extensionProviders`. */
export type TelemetryProvider =
  | {
      readonly kind: "file-log";
      readonly name: string;
      readonly path: string;
      readonly format: ProviderFormat;
    }
  | (ProviderService & {
      readonly kind: "otel-log";
      readonly logName: string;
      readonly text: string;
      readonly labels: Readonly<Record<string, string>>;
    })
  | (ProviderService & {
      readonly kind: "zipkin";
      readonly path: string;
      readonly maxTagLength: number | undefined;
    })
  | (ProviderService & { readonly kind: "opentelemetry"; readonly maxTagLength: number | undefined });

/** Who is meant where no Telemetry names a provider. */
export interface DefaultProviders {
  readonly accessLogging: readonly string[];
  readonly tracing: readonly string[];
}
