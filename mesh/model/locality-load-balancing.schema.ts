import * as z from "zod";
import type { LocalityLoadBalancing } from "./destination-rule.ts";
import { quoted } from "./finding.ts";
import { optionalText, text, uint32 } from "./scalars.schema.ts";
import { notYet } from "./schema-notice.ts";
import { type Report, rule } from "./schema-rule.ts";

type Distribution = LocalityLoadBalancing["distribute"][number];
type Failover = LocalityLoadBalancing["failover"][number];

/** The labels by which localities are ordered anyway. */
const TOPOLOGY_LABELS: readonly string[] = [
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "topology.istio.io/subzone",
];

const distribution: z.ZodType<Distribution> = z
  .object({ from: optionalText, to: z.record(z.string(), uint32).default({}) })
  .check(rule(["to"], ({ to }, report) => checkShares(to, report)));

const failover: z.ZodType<Failover> = z
  .object({ from: optionalText, to: optionalText })
  .check(rule(["from", "to"], (failover, report) => checkFailover(failover, report)));

/** LocalityLoadBalancerSetting. */
export const localityLbSetting: z.ZodType<LocalityLoadBalancing> = z
  .object({
    distribute: z.array(distribution).default([]),
    failover: z.array(failover).default([]),
    failoverPriority: z.array(text).default([]),
    enabled: z.boolean().default(true),
  })
  .check(
    rule(["distribute"], ({ distribute }, report) => {
      const overlap = firstOverlap(distribute.map(({ from }) => from));
      if (overlap !== undefined) report(["distribute", overlap.index, "from"], overlap.problem);
    }),
    rule(["distribute", "failover"], ({ distribute, failover }, report) => {
      if (distribute.length > 0 && failover.length > 0)
        report(["failover"], "must not be together with distribute");
    }),
    rule(["failover", "failoverPriority"], ({ failover, failoverPriority }, report) => {
      if (failover.length > 0) checkPriority(failoverPriority, "must not be together with failover", report);
    }),
  )
  .transform(({ enabled, distribute, failover, failoverPriority }) => ({
    enabled,
    distribute,
    failover,
    failoverPriority,
  }));

/** ZoneAwareLoadBalancerSetting, as far as locality load balancing does the same. */
export const zoneAwareLbSetting: z.ZodType<LocalityLoadBalancing> = z
  .object({
    enabled: z.boolean().default(true),
    failover: z.array(failover).default([]),
    failoverPriority: z.array(text).default([]),
    minClusterSize: notYet(z.int().min(1).optional()),
  })
  .check(
    rule(["failoverPriority"], ({ failoverPriority }, report) =>
      checkPriority(failoverPriority, "is followed anyway: it must not be named here", report),
    ),
  )
  .transform(({ enabled, failover, failoverPriority }) => ({
    enabled,
    distribute: [],
    failover,
    failoverPriority,
  }));

function checkPriority(labels: readonly string[], problem: string, report: Report): void {
  for (const [index, label] of labels.entries()) {
    if (TOPOLOGY_LABELS.includes(label)) report(["failoverPriority", index], `${label} ${problem}`);
  }
}

function checkShares(to: Readonly<Record<string, number>>, report: Report): void {
  const shares = Object.entries(to);
  const wrong = shares.filter(([, share]) => share < 1 || share > 100);
  for (const [locality] of wrong) report(["to", locality], "must be from 1 to 100");
  const total = shares.reduce((sum, [, share]) => sum + share, 0);
  if (wrong.length === 0 && total !== 100) report(["to"], `must add up to 100, not to ${total}`);
  // A mapping has no order, so what covers more is looked at first.
  const overlap = firstOverlap(Object.keys(to).sort((a, b) => prefixOf(a).length - prefixOf(b).length));
  if (overlap !== undefined) report(["to", overlap.locality], overlap.problem);
}

function checkFailover({ from, to }: Failover, report: Report): void {
  if (from === to) report(["to"], "must be another region than from");
  for (const [field, region] of Object.entries({ from, to })) {
    if (region.includes("/")) report([field], "must be a region alone");
    else if (region.includes("*")) report([field], "must not have a wildcard");
  }
}

interface Overlap {
  readonly index: number;
  readonly locality: string;
  readonly problem: string;
}

/** The first locality that is none, or that overlaps with an earlier one: the earlier one takes everything. */
function firstOverlap(localities: readonly string[]): Overlap | undefined {
  /** By their prefix, the localities that cover whatever begins with it. */
  const covering = new Map<string, string>();
  /** By each of its own beginnings, a locality that is inside of it. */
  const inside = new Map<string, string>();
  for (const [index, locality] of localities.entries()) {
    const earlier =
      beginningsOf(locality)
        .map((beginning) => covering.get(beginning))
        .find((each) => each !== undefined) ?? (isPattern(locality) ? undefined : inside.get(locality));
    const problem =
      localityProblem(locality) ?? (earlier === undefined ? undefined : `overlaps with ${quoted(earlier)}`);
    if (problem !== undefined) return { index, locality, problem };
    covering.set(prefixOf(locality).join("/"), locality);
    for (const beginning of beginningsOf(locality)) inside.set(beginning, locality);
  }
  return undefined;
}

function localityProblem(locality: string): string | undefined {
  if (locality.slice(0, -1).includes("*")) return "must not have a wildcard but at its end";
  return parts(locality).includes("") ? "must not have an empty region, zone or subzone" : undefined;
}

/** Region, zone and subzone, as far as they are there. */
function parts(locality: string): readonly string[] {
  const [region = "", zone, ...subzone] = locality.split("/");
  if (zone === undefined) return [region];
  return subzone.length === 0 ? [region, zone] : [region, zone, subzone.join("/")];
}

function isPattern(locality: string): boolean {
  return locality.endsWith("*");
}

/** The parts before the wildcard. */
function prefixOf(locality: string): readonly string[] {
  return parts(locality).filter((part) => part !== "*");
}

/** From nothing to the whole: "", `region`, `region/zone`, … */
function beginningsOf(locality: string): readonly string[] {
  const all = parts(locality);
  return ["", ...all].map((_, count) => all.slice(0, count).join("/"));
}
