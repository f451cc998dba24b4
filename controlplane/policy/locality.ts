import type { LocalityLoadBalancing } from "../../mesh/model/destination-rule.ts";

/** Who asks for endpoints, as far as which of them are near follows from it. */
export interface Place {
  /** `region/zone/subzone`; empty when unknown. */
  readonly locality: string;
  readonly network: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Which endpoints of a service a client calls first. `shares`: each locality its part, the first pattern that fits; none
 * for the others. `levels`: 0 first; `byLabels` goes before `byLocality`.
 */
export type Placement =
  | { readonly kind: "anywhere" }
  | { readonly kind: "shares"; readonly shares: readonly LocalityShare[] }
  | {
      readonly kind: "levels";
      readonly byLabels: readonly LabelWanted[];
      /** Undefined: localities do not matter. */
      readonly byLocality: Readonly<Record<string, number>> | undefined;
    };

interface LocalityShare {
  readonly pattern: string;
  readonly percent: number;
}

export interface LabelWanted {
  readonly key: string;
  readonly value: string;
}

export const ANYWHERE: Placement = { kind: "anywhere" };

/** Istio's mesh configuration has it on, which then acts wherever outliers are detected. */
const BY_DEFAULT: LocalityLoadBalancing = {
  enabled: true,
  distribute: [],
  failover: [],
  failoverPriority: [],
};

/** The setting in force: the rule's, else the mesh's; undefined: localities do not matter. */
export function localitySetting(
  rule: LocalityLoadBalancing | undefined,
  mesh: LocalityLoadBalancing | undefined,
): LocalityLoadBalancing | undefined {
  const chosen = rule ?? mesh ?? BY_DEFAULT;
  return chosen.enabled ? chosen : undefined;
}

/** Whether a cluster has to weigh its localities, which other settings leave to the balancer. */
export function weighsLocalities(
  setting: LocalityLoadBalancing | undefined,
  detectsOutliers: boolean,
): boolean {
  if (setting === undefined) return false;
  const { distribute, failover, failoverPriority } = setting;
  return distribute.length > 0 || (detectsOutliers && failover.length + failoverPriority.length > 0);
}

/**
 * What a setting means for one client, in terms of `localities`, those that the service has endpoints in: clients for
 * which it means the same have an equal placement. Without outlier detection nothing would ever fail over.
 */
export function placementOf(
  setting: LocalityLoadBalancing | undefined,
  detectsOutliers: boolean,
  from: Place,
  localities: readonly string[],
): Placement {
  if (setting === undefined) return ANYWHERE;
  if (setting.distribute.length > 0) {
    const rule = setting.distribute.find((one) => localityMatches(one.from, from.locality));
    return rule === undefined ? ANYWHERE : { kind: "shares", shares: sharesOf(rule.to) };
  }
  if (!detectsOutliers) return ANYWHERE;
  const { failover, failoverPriority } = setting;
  const near = failoverPriority.length === 0 || failover.length > 0;
  const byLocality = near ? localityLevels(from.locality, localities, failover) : undefined;
  const plain = byLocality === undefined || new Set(Object.values(byLocality)).size <= 1;
  if (plain && failoverPriority.length === 0) return ANYWHERE;
  return {
    kind: "levels",
    byLabels: failoverPriority.map((text) => wanted(text, from)),
    byLocality: plain ? undefined : byLocality,
  };
}

/** How far down the list of labels an endpoint is another than is wanted: 0 when in none. */
export function labelLevel(wantedLabels: readonly LabelWanted[], endpoint: Place): number {
  const labels = topologyLabels(endpoint);
  const index = wantedLabels.findIndex(({ key, value }) => (labels[key] ?? "") !== value);
  return index === -1 ? 0 : wantedLabels.length - index;
}

/** `region/zone/*`, `region/*`, `*`, or a locality whose missing parts mean any. */
export function localityMatches(pattern: string, locality: string): boolean {
  const parts = partsOf(locality);
  return partsOf(pattern).every(
    (part, index) => part === "*" || (part === "" && index > 0) || part === parts[index],
  );
}

/** Numbers in their order without gaps, from 0: what Envoy wants of priorities. */
export function withoutGaps(levels: Iterable<number>): ReadonlyMap<number, number> {
  const sorted = [...new Set(levels)].sort((a, b) => a - b);
  return new Map(sorted.map((level, index) => [level, index]));
}

/** Same subzone 0, zone 1, region 2; elsewhere 3, but 4 where a failover for the client's region names another. */
function localityLevels(
  from: string,
  localities: readonly string[],
  failover: LocalityLoadBalancing["failover"],
): Readonly<Record<string, number>> {
  const [region = "", zone, subzone] = partsOf(from);
  const to = failover.find((one) => one.from === region)?.to;
  const levels = localities.map((name): readonly [string, number] => {
    const [otherRegion = "", otherZone, otherSubzone] = partsOf(name);
    if (otherRegion !== region) return [name, to !== undefined && otherRegion !== to ? 4 : 3];
    if (otherZone !== zone) return [name, 2];
    return [name, otherSubzone === subzone ? 0 : 1];
  });
  const order = withoutGaps(levels.map(([, level]) => level));
  return Object.fromEntries(levels.map(([name, level]) => [name, order.get(level) ?? level]));
}

/** Patterns that say more first, so that `*` gets what the others leave. */
function sharesOf(to: Readonly<Record<string, number>>): readonly LocalityShare[] {
  const concrete = (pattern: string): number =>
    partsOf(pattern).filter((part) => part !== "*" && part !== "").length;
  return Object.entries(to)
    .map(([pattern, percent]) => ({ pattern, percent }))
    .sort((a, b) => concrete(b.pattern) - concrete(a.pattern) || (a.pattern < b.pattern ? -1 : 1));
}

/** `key=value` wants that value; `key` the client's own. */
function wanted(text: string, from: Place): LabelWanted {
  const equals = text.indexOf("=");
  if (equals >= 0) return { key: text.slice(0, equals), value: text.slice(equals + 1) };
  return { key: text, value: topologyLabels(from)[text] ?? "" };
}

/** What is selected by: an endpoint's labels, and over them those that Istio derives from where it is. */
export function topologyLabels({ labels, locality, network }: Place): Readonly<Record<string, string>> {
  const [region = "", zone = "", subzone = ""] = partsOf(locality);
  return {
    ...labels,
    ...(region !== "" && { "topology.kubernetes.io/region": region }),
    ...(zone !== "" && { "topology.kubernetes.io/zone": zone }),
    ...(subzone !== "" && { "topology.istio.io/subzone": subzone }),
    ...(network !== "" && { "topology.istio.io/network": network }),
  };
}

/** Always three. */
function partsOf(locality: string): readonly string[] {
  const [region = "", zone = "", subzone = ""] = locality.split("/");
  return [region, zone, subzone];
}
