import { z } from "zod";
import type { AuthorizationProvider } from "./authorization-provider.ts";
import { isDnsLabel, isHostName } from "./dns-names.ts";
import { duration, flag, portNumber, textOrNone, textThat, uint32 } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import { presenceRule, problemCheck } from "./schema-rule.ts";

/** Istio's: long, so that a DestinationRule of the provider's service decides. */
const TIMEOUT_MS = 600_000;

const service = textThat(isService, "a service: `host` or `namespace/host`").transform((written) => {
  const [first = "", second] = written.split("/");
  return second === undefined ? { namespace: "", host: first } : { namespace: first, host: second };
});

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
  service,
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

/** Providers of Istio that are asked for nothing about authorization. */
const OTHERS = [
  "zipkin",
  "lightstep",
  "datadog",
  "stackdriver",
  "opencensus",
  "skywalking",
  "opentelemetry",
  "prometheus",
  "envoyFileAccessLog",
  "envoyHttpAls",
  "envoyTcpAls",
  "envoyOtelAls",
  "sds",
] as const;

const provider = z
  .object({
    name: textThat(() => true, ""),
    envoyExtAuthzHttp: http.optional(),
    envoyExtAuthzGrpc: grpc.optional(),
    ...Object.fromEntries(OTHERS.map((field) => [field, notYet()])),
  })
  .check(
    presenceRule((present, report) => {
      if (present.size > 2) report([], "must be of one kind only");
    }),
  )
  .transform(({ name, envoyExtAuthzHttp: overHttp, envoyExtAuthzGrpc: overGrpc }) => {
    if (overHttp !== undefined) return httpProvider(name, overHttp);
    return overGrpc === undefined ? undefined : grpcProvider(name, overGrpc);
  });

/** Those that can be asked; others are left out. */
export const authorizationProviders: z.ZodType<readonly AuthorizationProvider[]> = z
  .array(provider)
  .transform((all) => all.filter((one) => one !== undefined))
  .check(
    problemCheck((all) =>
      new Set(all.map(({ name }) => name)).size < all.length ? "must not have a name twice" : undefined,
    ),
  );

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

function isService(written: string): boolean {
  const [first = "", second, ...rest] = written.split("/");
  if (rest.length > 0) return false;
  return second === undefined ? isHostName(first) : isDnsLabel(first) && isHostName(second);
}
