import * as z from "zod";
import type { AuthorizationProvider } from "./authorization-provider.ts";
import { providerService } from "./provider-service.schema.ts";
import { duration, flag, portNumber, textOrNone, textThat, uint32 } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import { presenceRule, problemCheck } from "./schema-rule.ts";
import type { TelemetryProvider } from "./telemetry.ts";
import { TELEMETRY_PROVIDERS, telemetryProvider } from "./telemetry-provider.schema.ts";

/** Istio's: long, so that a DestinationRule of the provider's service decides. */
const TIMEOUT_MS = 600_000;

/** Envoy refuses any other. */
const KNOWN_STATUS = /^(?:100|20[0-8]|226|30[0-57-8]|40\d|41[0-7]|42[1-4689]|431|50[0-8]|51[01])$/;

const statusOnError = textOrNone(
  (written) => KNOWN_STATUS.test(written),
  "an HTTP status that Envoy knows, as a text",
).transform((written) => (written === "" ? 403 : Number(written)));

const body = z
  .object({
    maxRequestBytes: uint32.check(problemCheck((bytes) => (bytes === 0 ? "must be at least 1" : undefined))),
    allowPartialMessage: flag,
    packAsBytes: flag,
  })
  .transform(({ maxRequestBytes, allowPartialMessage, packAsBytes }) => ({
    maxBytes: maxRequestBytes,
    allowPartial: allowPartialMessage,
    asBytes: packAsBytes,
  }));

const names = z.array(textThat(() => true, "")).default([]);

const common = {
  service: providerService,
  port: portNumber,
  timeout: duration(1).default(TIMEOUT_MS),
  failOpen: flag,
  clearRouteCache: flag,
  statusOnError,
  includeRequestBodyInCheck: body.optional(),
};

const http = z.object({
  ...common,
  pathPrefix: textOrNone((written) => written.startsWith("/"), "a path that starts with `/`"),
  includeHeadersInCheck: names,
  includeRequestHeadersInCheck: names,
  includeAdditionalHeadersInCheck: z.record(z.string(), z.string()).default({}),
  headersToUpstreamOnAllow: names,
  headersToDownstreamOnAllow: names,
  headersToDownstreamOnDeny: names,
});

const grpc = z.object(common);

/** Providers of Istio that nothing is made of. */
const OTHERS = [
  "lightstep",
  "datadog",
  "stackdriver",
  "opencensus",
  "skywalking",
  "prometheus",
  "envoyHttpAls",
  "envoyTcpAls",
  "sds",
] as const;

const provider = z
  .object({
    name: textThat(() => true, ""),
    envoyExtAuthzHttp: http.optional(),
    envoyExtAuthzGrpc: grpc.optional(),
    ...TELEMETRY_PROVIDERS,
    ...Object.fromEntries(OTHERS.map((field) => [field, notYet()])),
  })
  .check(
    presenceRule((present, report) => {
      if (present.size > 2) report([], "must be of one kind only");
    }),
  )
  .transform(({ name, envoyExtAuthzHttp: overHttp, envoyExtAuthzGrpc: overGrpc, ...others }) => ({
    name,
    authorization:
      overHttp !== undefined
        ? httpProvider(name, overHttp)
        : overGrpc === undefined
          ? undefined
          : grpcProvider(name, overGrpc),
    telemetry: telemetryProvider(name, others),
  }));

interface ExtensionProviders {
  readonly authorization: readonly AuthorizationProvider[];
  readonly telemetry: readonly TelemetryProvider[];
}

/** By what they are for; those that are for something else are left out. */
export const extensionProviders: z.ZodType<ExtensionProviders> = z
  .array(provider)
  .check(
    problemCheck((all) => {
      const known = all.filter(({ authorization, telemetry }) => authorization ?? telemetry);
      const names = new Set(known.map(({ name }) => name));
      return names.size < known.length ? "must not have a name twice" : undefined;
    }),
  )
  .transform((all) => ({
    authorization: all.flatMap(({ authorization }) => authorization ?? []),
    telemetry: all.flatMap(({ telemetry }) => telemetry ?? []),
  }));

type Common = z.output<typeof grpc>;

function grpcProvider(name: string, from: Common): AuthorizationProvider {
  return {
    name,
    protocol: "grpc",
    service: from.service,
    port: from.port,
    timeoutMs: from.timeout,
    failOpen: from.failOpen,
    statusOnError: from.statusOnError,
    clearRouteCache: from.clearRouteCache,
    body: from.includeRequestBodyInCheck,
    headers: { inCheck: [], toUpstreamOnAllow: [], toDownstreamOnAllow: [], toDownstreamOnDeny: [] },
    additional: {},
    pathPrefix: "",
  };
}

function httpProvider(name: string, from: z.output<typeof http>): AuthorizationProvider {
  return {
    ...grpcProvider(name, from),
    protocol: "http",
    headers: {
      inCheck: [...from.includeHeadersInCheck, ...from.includeRequestHeadersInCheck],
      toUpstreamOnAllow: from.headersToUpstreamOnAllow,
      toDownstreamOnAllow: from.headersToDownstreamOnAllow,
      toDownstreamOnDeny: from.headersToDownstreamOnDeny,
    },
    additional: from.includeAdditionalHeadersInCheck,
    pathPrefix: from.pathPrefix,
  };
}
