import { isIP } from "node:net";
import * as z from "zod";
import { clientTls } from "./client-tls.schema.ts";
import { connectionPool } from "./connection-pool.schema.ts";
import type { PortTrafficPolicy, RetryBudget, TrafficPolicy, Tunnel } from "./destination-rule.ts";
import { isHostName } from "./dns-names.ts";
import { quoted } from "./finding.ts";
import { loadBalancer } from "./load-balancer.schema.ts";
import { outlierDetection } from "./outlier-detection.schema.ts";
import { duration, percentage, portNumber, portSelector, textThat, uint32 } from "./scalars.schema.ts";
import { withReview, writtenField, writtenList } from "./schema-notice.ts";
import { presenceRule, type Report } from "./schema-rule.ts";

const settings = {
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
};

const portLevelSetting: z.ZodType<PortTrafficPolicy> = withReview(
  z
    .object({ port: portSelector, ...settings })
    .check(
      presenceRule((present, report) => {
        if (!Object.keys(settings).some((setting) => present.has(setting)))
          report([], "must have at least one setting");
      }),
    )
    .transform(({ port, loadBalancer, connectionPool, outlierDetection, tls }) => ({
      port,
      loadBalancer,
      connectionPool,
      outlierDetection,
      tls,
    })),
  failoverWithoutDetection,
);

const tunnel: z.ZodType<Tunnel> = z
  .object({
    protocol: z
      .enum(["", "CONNECT", "POST"])
      .default("CONNECT")
      .transform((protocol) => (protocol === "" ? "CONNECT" : protocol)),
    targetHost: textThat((host) => isIP(host) !== 0 || isHostName(host), "a host name or an IP address"),
    targetPort: portNumber,
  })
  .transform(({ protocol, targetHost, targetPort }) => ({ protocol, targetHost, targetPort }));

const proxyProtocol: z.ZodType<"V1" | "V2"> = z
  .object({ version: z.enum(["V1", "V2"]).default("V1") })
  .transform(({ version }) => version);

const retryBudget: z.ZodType<RetryBudget> = z
  .object({
    percent: percentage.optional(),
    minRetryConcurrency: uint32.optional(),
    budgetInterval: duration(0).optional(),
  })
  .transform(({ percent, minRetryConcurrency, budgetInterval }) => ({
    percent,
    minRetryConcurrency,
    budgetIntervalMs: budgetInterval,
  }));

/** TrafficPolicy. */
export const trafficPolicy: z.ZodType<TrafficPolicy> = withReview(
  z
    .object({
      ...settings,
      portLevelSettings: z.array(portLevelSetting).max(4096).default([]),
      tunnel: tunnel.optional(),
      proxyProtocol: proxyProtocol.optional(),
      retryBudget: retryBudget.optional(),
    })
    .check(
      presenceRule((present, report) => {
        if (present.size === 0) report([], "must have at least one setting");
        if (present.has("tunnel") && present.has("proxyProtocol"))
          report(["proxyProtocol"], "must not be together with tunnel");
      }),
    )
    .transform((policy) => ({
      loadBalancer: policy.loadBalancer,
      connectionPool: policy.connectionPool,
      outlierDetection: policy.outlierDetection,
      tls: policy.tls,
      portLevelSettings: policy.portLevelSettings,
      tunnel: policy.tunnel,
      proxyProtocol: policy.proxyProtocol,
      retryBudget: policy.retryBudget,
    })),
  (policy, warn) => {
    failoverWithoutDetection(policy, warn);
    repeatedPort(policy, warn);
  },
);

/** Only an endpoint that is found to fail is failed over from. */
function failoverWithoutDetection(policy: unknown, warn: Report): void {
  if (writtenField(policy, "outlierDetection") !== undefined) return;
  for (const name of ["localityLbSetting", "zoneAwareLbSetting"]) {
    const setting = writtenField(writtenField(policy, "loadBalancer"), name);
    const fails = ["failover", "failoverPriority"].some((list) => writtenList(setting, list).length > 0);
    if (fails) warn(["loadBalancer", name], "has a failover, which does nothing without outlierDetection");
  }
}

/** Istio takes the first setting of a port and passes over the others. */
function repeatedPort(policy: unknown, warn: Report): void {
  const seen = new Set<unknown>();
  for (const [index, setting] of writtenList(policy, "portLevelSettings").entries()) {
    const port = writtenField(writtenField(setting, "port"), "number");
    if (seen.has(port))
      warn(
        ["portLevelSettings", index, "port"],
        `names port ${quoted(port)} a second time: the first setting is in force`,
      );
    if (port !== undefined) seen.add(port);
  }
}
