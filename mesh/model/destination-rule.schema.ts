import { z } from "zod";
import { clientTls } from "./client-tls.schema.ts";
import { connectionPool, outlierDetection } from "./connection-pool.schema.ts";
import type {
  DestinationRuleSpec,
  LoadBalancer,
  PortTrafficPolicy,
  Subset,
  TrafficPolicy,
} from "./destination-rule.ts";
import { labels, matchLabels } from "./labels.schema.ts";
import { dnsLabel, duration, exportTo, portSelector, wildcardHostButNotAll } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import { presenceRule, rule } from "./schema-rule.ts";

const BALANCERS = {
  ROUND_ROBIN: "ROUND_ROBIN",
  LEAST_REQUEST: "LEAST_REQUEST",
  /** The old name. */
  LEAST_CONN: "LEAST_REQUEST",
  RANDOM: "RANDOM",
  PASSTHROUGH: "PASSTHROUGH",
  UNSPECIFIED: undefined,
} as const;

const loadBalancer: z.ZodType<LoadBalancer | undefined> = z
  .object({
    simple: z
      .enum(["ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "UNSPECIFIED"])
      .optional(),
    consistentHash: notYet(z.looseObject({}).optional()),
    localityLbSetting: notYet(z.looseObject({}).optional()),
    zoneAwareLbSetting: notYet(),
    warmupDurationSecs: notYet(duration(1).optional()),
    warmup: notYet(),
  })
  .check(
    rule(["simple", "consistentHash"], ({ simple, consistentHash }, report) => {
      if (simple !== undefined && consistentHash !== undefined)
        report([], "must have only one of simple and consistentHash");
    }),
  )
  .transform(({ simple = "UNSPECIFIED" }) => {
    const balancer = BALANCERS[simple];
    return balancer === undefined ? undefined : { simple: balancer };
  });

const settings = {
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
};

const portLevelSetting: z.ZodType<PortTrafficPolicy> = z
  .object({ port: portSelector, ...settings })
  .transform(({ port, loadBalancer, connectionPool, outlierDetection, tls }) => ({
    port,
    loadBalancer,
    connectionPool,
    outlierDetection,
    tls,
  }));

const trafficPolicy: z.ZodType<TrafficPolicy> = z
  .object({
    ...settings,
    portLevelSettings: z.array(portLevelSetting).default([]),
    tunnel: notYet(z.looseObject({}).optional()),
    proxyProtocol: notYet(z.looseObject({}).optional()),
    retryBudget: notYet(z.looseObject({}).optional()),
  })
  .check(
    presenceRule((present, report) => {
      if (present.size === 0) report([], "must have at least one setting");
    }),
  )
  .transform(({ loadBalancer, connectionPool, outlierDetection, tls, portLevelSettings }) => ({
    loadBalancer,
    connectionPool,
    outlierDetection,
    tls,
    portLevelSettings,
  }));

const subset: z.ZodType<Subset> = z
  .object({ name: dnsLabel, labels, trafficPolicy: trafficPolicy.optional() })
  .transform(({ name, labels, trafficPolicy }) => ({ name, labels, trafficPolicy }));

/** DestinationRule's spec, by Istio's rules. */
export const destinationRuleSpec: z.ZodType<DestinationRuleSpec> = z
  .object({
    host: wildcardHostButNotAll,
    trafficPolicy: trafficPolicy.optional(),
    subsets: z.array(subset).default([]),
    exportTo,
    workloadSelector: matchLabels.default({}),
  })
  .check(
    rule(["subsets"], ({ subsets }, report) => {
      const seen = new Set<string>();
      for (const [index, { name }] of subsets.entries()) {
        if (seen.has(name)) report(["subsets", index, "name"], `names subset ${name} a second time`);
        seen.add(name);
      }
    }),
    rule(["exportTo", "workloadSelector"], ({ exportTo, workloadSelector }, report) => {
      if (Object.keys(workloadSelector).length > 0 && exportTo.some((name) => name !== "."))
        report(["exportTo"], "must be `.` with a workloadSelector: such a rule is for its own namespace");
    }),
  )
  .transform(({ host, trafficPolicy, subsets, exportTo, workloadSelector }) => ({
    host,
    trafficPolicy,
    subsets,
    exportTo,
    workloadSelector,
  }));
