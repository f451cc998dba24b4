import * as z from "zod";
import type { ReadinessProbe } from "./readiness-probe.ts";
import { optionalText, portNumber, textThat } from "./scalars.schema.ts";
import { presenceRule } from "./schema-rule.ts";

const LARGEST_INT32 = 2 ** 31 - 1;

/** Kubernetes' defaults; 0 says nothing. */
const PERIOD_SECONDS = 10;
const FAILURE_THRESHOLD = 3;

const seconds = z.int().min(0).max(LARGEST_INT32).default(0);
const threshold = z.int().min(0).max(LARGEST_INT32).default(0);

const httpGet = z
  .object({
    path: optionalText,
    port: portNumber,
    host: optionalText,
    scheme: z.enum(["", "HTTP", "HTTPS"]).default(""),
    httpHeaders: z
      .array(
        z.object({
          name: textThat((name) => /^[-\w]+$/.test(name), "a header name: letters, digits, `-` and `_`"),
          value: optionalText,
        }),
      )
      .default([]),
  })
  .transform(({ path, port, host, scheme, httpHeaders }) => ({
    kind: "http" as const,
    path: path.startsWith("/") ? path : `/${path}`,
    port,
    host,
    scheme: scheme === "" ? ("HTTP" as const) : scheme,
    headers: httpHeaders,
  }));

const METHODS = ["httpGet", "tcpSocket", "exec", "grpc"];

/** A probe as people write it in a WorkloadGroup. */
export const readinessProbe: z.ZodType<ReadinessProbe> = z
  .object({
    initialDelaySeconds: seconds,
    timeoutSeconds: seconds,
    periodSeconds: seconds,
    successThreshold: threshold,
    failureThreshold: threshold,
    httpGet: httpGet.optional(),
    tcpSocket: z.object({ host: optionalText, port: portNumber }).optional(),
    exec: z.object({ command: z.array(z.string()).min(1) }).optional(),
    grpc: z.object({ port: portNumber, service: optionalText }).optional(),
  })
  .check(
    presenceRule((present, report) => {
      if (METHODS.filter((method) => present.has(method)).length !== 1)
        report([], "must have exactly one of httpGet, tcpSocket, exec and grpc");
    }),
  )
  .transform((probe) => ({
    initialDelayMs: probe.initialDelaySeconds * 1000,
    timeoutMs: (probe.timeoutSeconds || 1) * 1000,
    periodMs: (probe.periodSeconds || PERIOD_SECONDS) * 1000,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || FAILURE_THRESHOLD,
    check: checkOf(probe),
  }));

/** The one that is there. */
function checkOf(probe: {
  readonly httpGet?: z.output<typeof httpGet> | undefined;
  readonly tcpSocket?: { readonly host: string; readonly port: number } | undefined;
  readonly exec?: { readonly command: readonly string[] } | undefined;
  readonly grpc?: { readonly port: number; readonly service: string } | undefined;
}): ReadinessProbe["check"] {
  if (probe.httpGet !== undefined) return probe.httpGet;
  if (probe.tcpSocket !== undefined) return { kind: "tcp", ...probe.tcpSocket };
  if (probe.grpc !== undefined) return { kind: "grpc", ...probe.grpc };
  return { kind: "exec", command: probe.exec?.command ?? [] };
}
