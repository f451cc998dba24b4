import type { Endpoint } from "../../../mesh/model/service.ts";
import { Locality } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  type LbEndpoint,
  LocalityLbEndpoints,
} from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint_components.ts";
import {
  labelLevel,
  localityMatches,
  type Place,
  type Placement,
  withoutGaps,
} from "../../policy/locality.ts";
import { byText } from "../../snapshot/text-order.ts";

/** One way to an endpoint. */
export interface WeighedEndpoint {
  readonly endpoint: Endpoint;
  readonly weight: number;
  /** Set where a gateway stands for endpoints behind it: all with the same one are one. */
  readonly gateway?: string;
  readonly make: (weight: number) => LbEndpoint;
}

interface Group {
  readonly locality: string;
  readonly level: number;
  readonly members: WeighedEndpoint[];
}

/** Localities never are more levels than this. */
const LOCALITY_LEVELS = 5;

/** Endpoints by priority and locality, in that order; each group weighs what its members weigh, or its share. */
export function groupByLocality(
  endpoints: readonly WeighedEndpoint[],
  placement: Placement,
  placeOf: (endpoint: Endpoint) => Place,
): LocalityLbEndpoints[] {
  const groups = new Map<string, Group>();
  for (const one of endpoints) {
    const { locality } = one.endpoint;
    const level = levelOf(placement, one.endpoint, placeOf);
    const key = `${level} ${locality}`;
    const group = groups.get(key) ?? { locality, level, members: [] };
    group.members.push(one);
    groups.set(key, group);
  }
  const sorted = [...groups.values()].sort((a, b) => a.level - b.level || byText(a.locality, b.locality));
  const priorities = withoutGaps(sorted.map(({ level }) => level));
  return weighed(sorted, placement).map(({ group, weight }) =>
    LocalityLbEndpoints.fromPartial({
      ...(group.locality === "" ? {} : { locality: localityMessage(group.locality) }),
      lbEndpoints: merged(group.members).map(({ make, weight: share }) => make(share)),
      loadBalancingWeight: weight,
      priority: priorities.get(group.level) ?? 0,
    }),
  );
}

function levelOf(placement: Placement, endpoint: Endpoint, placeOf: (endpoint: Endpoint) => Place): number {
  if (placement.kind !== "levels") return 0;
  const ofLabels = placement.byLabels.length === 0 ? 0 : labelLevel(placement.byLabels, placeOf(endpoint));
  const ofLocality = placement.byLocality?.[endpoint.locality] ?? 0;
  return ofLabels * LOCALITY_LEVELS + ofLocality;
}

interface WeighedGroup {
  readonly group: Group;
  readonly weight: number;
}

/** With shares, localities that none is for get nothing, and those of one pattern divide it by their weight. */
function weighed(groups: readonly Group[], placement: Placement): readonly WeighedGroup[] {
  const plain = groups.map((group) => ({ group, weight: weightOf(group.members) }));
  if (placement.kind !== "shares") return plain;
  const taken = new Set<Group>();
  const shared = placement.shares.flatMap(({ pattern, percent }) => {
    const matching = plain.filter(
      ({ group }) => !taken.has(group) && localityMatches(pattern, group.locality),
    );
    for (const { group } of matching) taken.add(group);
    const total = matching.reduce((sum, { weight }) => sum + weight, 0);
    return matching.map(({ group, weight }) => ({ group, weight: Math.ceil((weight * percent) / total) }));
  });
  return shared.sort((a, b) => byText(a.group.locality, b.group.locality));
}

/** In the order they came, gateways last and once. */
function merged(members: readonly WeighedEndpoint[]): readonly WeighedEndpoint[] {
  const gateways = new Map<string, WeighedEndpoint>();
  const direct: WeighedEndpoint[] = [];
  for (const one of members) {
    if (one.gateway === undefined) direct.push(one);
    else {
      const before = gateways.get(one.gateway);
      gateways.set(one.gateway, { ...one, weight: one.weight + (before?.weight ?? 0) });
    }
  }
  const sorted = [...gateways].sort(([a], [b]) => byText(a, b)).map(([, one]) => one);
  return [...direct, ...sorted];
}

function weightOf(members: readonly WeighedEndpoint[]): number {
  return members.reduce((sum, { weight }) => sum + weight, 0);
}

function localityMessage(name: string): Locality {
  const [region = "", zone = "", subZone = ""] = name.split("/");
  return { region, zone, subZone };
}
