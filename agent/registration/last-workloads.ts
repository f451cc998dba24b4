import { join } from "node:path";
import * as z from "zod";
import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { MTLS_DEFAULTS } from "../../mesh/model/vocabulary.ts";
import { DEFAULTED, type Workload } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { quarantine, readPrivate, writePrivate } from "../state/private-files.ts";

const port = z.number().int().min(0).max(65_535);
const place = z.object({ address: z.string(), port });

const schema = z.array(
  z.object({
    name: z.string().regex(/^[\w.-]{1,200}$/),
    namespace: z.string().regex(/^[a-z0-9-]{1,63}$/),
    service: z.string(),
    serviceAccount: z.string(),
    labels: z.record(z.string(), z.string()),
    ports: z.array(
      z.object({
        name: z.string(),
        protocol: z.enum(["http", "http2", "grpc", "tcp", "tls"]),
        servicePort: z.number().int(),
        inbound: place,
        bind: place.optional(),
        app: place,
      }),
    ),
    upstreams: z.array(z.object({ host: z.string(), port: z.number().int(), bind: place })),
    healthy: z.boolean(),
    weight: z.number(),
    locality: z.string(),
    // What earlier agents did not write has its default.
    network: z.string().default(""),
    role: z.enum(["sidecar", "gateway"]).default("sidecar"),
    interception: z.enum(["none", "redirect", "tproxy"]).default("none"),
    capturedAt: z.object({ outbound: port, inbound: port, ipv6: z.boolean() }).optional(),
    discovery: z.enum(["upstreams", "mesh", "on-demand"]).default("upstreams"),
    httpProxy: place.optional(),
    vips: z.enum(["none", "loopback", "routed"]).default("none"),
    reportsCalls: z.boolean().default(true),
    mtls: z.enum(MTLS_DEFAULTS).optional(),
    dataPlane: z.enum(["envoy", "builtin"]),
    catalog: z.object({ registry: z.string(), instanceId: z.string() }).optional(),
    group: z.object({ name: z.string(), defaulted: z.array(z.enum(DEFAULTED)) }).optional(),
  }),
);

export interface LastWorkloadsOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The workloads of this host as they were last: what a host that reboots serves until its catalog answers. A file that
 * cannot be used is put aside; then there are none.
 */
export async function readLastWorkloads(options: LastWorkloadsOptions): Promise<readonly Workload[]> {
  const path = pathOf(options);
  try {
    const text = await readPrivate(path);
    if (text === undefined) return [];
    return schema.parse(JSON.parse(text)).map((workload) => ({
      ...workload,
      capturedAt: workload.capturedAt,
      httpProxy: workload.httpProxy,
      mtls: workload.mtls,
      catalog: workload.catalog,
      group: workload.group && { ...workload.group, applied: undefined },
    }));
  } catch (error) {
    const aside = await quarantine(path, options.clock.now()).catch(() => "nowhere");
    options.logger.warn("the last workloads on disk cannot be used and were put aside", {
      aside,
      error: messageOf(error),
    });
    return [];
  }
}

/** Keeps the workloads for the next start. A disk that is full is told about and changes nothing else. */
export async function writeLastWorkloads(
  options: LastWorkloadsOptions,
  workloads: readonly Workload[],
): Promise<void> {
  await writePrivate(pathOf(options), JSON.stringify(workloads)).catch((error: unknown) => {
    options.logger.error("could not keep the workloads on disk", { error: messageOf(error) });
  });
}

function pathOf({ stateDir }: LastWorkloadsOptions): string {
  return join(stateDir, "workloads.json");
}
