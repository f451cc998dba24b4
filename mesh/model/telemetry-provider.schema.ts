import * as z from "zod";
import { providerService } from "./provider-service.schema.ts";
import { flag, optionalText, portNumber, text, textThat, uint32 } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import type { DefaultProviders, TelemetryProvider } from "./telemetry.ts";

const place = { service: providerService, port: portNumber };

const fileLog = z.object({
  path: textThat((path) => path.startsWith("/"), "an absolute path"),
  logFormat: z
    .object({
      text: optionalText,
      labels: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
  omitEmptyValues: flag,
});

const otelLog = z.object({
  ...place,
  logName: optionalText,
  logFormat: z
    .object({ text: optionalText, labels: z.record(z.string(), z.string()).default({}) })
    .default({ text: "", labels: {} }),
});

const zipkin = z.object({
  ...place,
  maxTagLength: uint32.optional(),
  path: optionalText,
  enable64bitTraceId: notYet(),
  traceContextOption: notYet(),
  timeout: notYet(),
  headers: notYet(),
});

const opentelemetry = z.object({
  ...place,
  maxTagLength: uint32.optional(),
  http: notYet(),
  grpc: notYet(),
  resourceDetectors: notYet(),
  dynatraceSampler: notYet(),
});

/** The kinds of `extensionProviders` that telemetry goes to. */
export const TELEMETRY_PROVIDERS = {
  envoyFileAccessLog: fileLog.optional(),
  envoyOtelAls: otelLog.optional(),
  zipkin: zipkin.optional(),
  opentelemetry: opentelemetry.optional(),
} as const;

type Written = {
  readonly [K in keyof typeof TELEMETRY_PROVIDERS]?: z.output<(typeof TELEMETRY_PROVIDERS)[K]>;
};

/** Undefined: it is for something else. */
export function telemetryProvider(name: string, written: Written): TelemetryProvider | undefined {
  const { envoyFileAccessLog: file, envoyOtelAls: otel, zipkin: spans, opentelemetry: otlp } = written;
  if (file !== undefined) {
    const format = {
      text: file.logFormat?.text ?? "",
      labels: file.logFormat?.labels,
      omitEmptyValues: file.omitEmptyValues,
    };
    return { kind: "file-log", name, path: file.path, format };
  }
  if (otel !== undefined) {
    const { service, port, logName, logFormat } = otel;
    return { kind: "otel-log", name, service, port, logName, ...logFormat };
  }
  if (spans !== undefined) {
    const { service, port, path, maxTagLength } = spans;
    return { kind: "zipkin", name, service, port, path: path || "/api/v2/spans", maxTagLength };
  }
  if (otlp === undefined) return undefined;
  return {
    kind: "opentelemetry",
    name,
    service: otlp.service,
    port: otlp.port,
    maxTagLength: otlp.maxTagLength,
  };
}

/** MeshConfig `defaultProviders`. */
export const defaultProviders: z.ZodType<DefaultProviders> = z
  .object({
    accessLogging: z.array(text).default([]),
    tracing: z.array(text).default([]),
    metrics: notYet(),
  })
  .transform(({ accessLogging, tracing }) => ({ accessLogging, tracing }));
