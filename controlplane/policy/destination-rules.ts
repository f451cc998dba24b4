import type { PortTrafficPolicy, Subset, TrafficPolicy } from "../../mesh/model/destination-rule.ts";
import type { ObjectKey, StoredObject } from "../../mesh/model/object.ts";
import type { Service } from "../../mesh/model/service.ts";
import { keyOf } from "../snapshot/config-index.ts";
import { patternsCovering } from "../snapshot/host-names.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import type { Client } from "./client.ts";
import { visibility } from "./export-to.ts";

type DestinationRule = StoredObject<"DestinationRule">;

/** The DestinationRules that together say how one host is called. Names them, so that it can key what follows. */
export interface RuleReference {
  readonly pattern: string;
  readonly keys: readonly ObjectKey[];
}

/** What the rules of one reference say together. */
export interface DestinationPolicy {
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
}

/** How one port of one subset is called: each block from the closest place that has it. */
export type PortPolicy = Omit<PortTrafficPolicy, "port">;

/**
 * Istio's look-up: the client's namespace (unless that is the root), then the service's, then the root; in each the most
 * specific host. Beyond the client's own namespace only exported rules count. A rule with a workload selector is private
 * to its namespace and beats one without.
 */
export function findDestinationRules(
  view: SnapshotView,
  client: Client,
  service: Pick<Service, "hostname" | "namespace">,
): RuleReference | undefined {
  const { rootNamespace } = view.settings;
  const own = client.namespace === rootNamespace ? [] : [client.namespace];
  const namespaces = new Set([...own, service.namespace, rootNamespace]);
  const patterns = patternsCovering(service.hostname).map((pattern) => ({
    pattern,
    rules: view.destinationRules(pattern),
  }));
  for (const namespace of namespaces) {
    for (const { pattern, rules } of patterns) {
      const chosen = choose(rules, namespace, client);
      if (chosen.length > 0) return { pattern, keys: chosen.map(keyOf) };
    }
  }
  return undefined;
}

/** Merges the rules of one host and namespace: first subset of a name, first traffic policy. */
export function destinationPolicy(
  view: SnapshotView,
  reference: RuleReference | undefined,
): DestinationPolicy {
  if (reference === undefined) return { trafficPolicy: undefined, subsets: [] };
  const rules = view.destinationRules(reference.pattern).filter((one) => reference.keys.includes(keyOf(one)));
  const subsets = new Map<string, Subset>();
  for (const subset of rules.flatMap(({ spec }) => spec.subsets)) {
    if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  }
  return {
    trafficPolicy: rules.find(({ spec }) => spec.trafficPolicy !== undefined)?.spec.trafficPolicy,
    subsets: [...subsets.values()],
  };
}

/**
 * A port's settings replace those of their level as a whole: blocks that they leave out are the defaults, not inherited.
 * A subset's policy overrides the rule's block by block.
 */
export function portPolicy(policy: DestinationPolicy, subset: string, port: number): PortPolicy {
  const own = policy.subsets.find(({ name }) => name === subset)?.trafficPolicy;
  const base = portSettings(policy.trafficPolicy, port) ?? policy.trafficPolicy;
  return (
    portSettings(own, port) ?? {
      loadBalancer: own?.loadBalancer ?? base?.loadBalancer,
      connectionPool: own?.connectionPool ?? base?.connectionPool,
      outlierDetection: own?.outlierDetection ?? base?.outlierDetection,
      tls: own?.tls ?? base?.tls,
    }
  );
}

function portSettings(policy: TrafficPolicy | undefined, port: number): PortTrafficPolicy | undefined {
  return policy?.portLevelSettings.find((one) => one.port === port);
}

function choose(
  rules: readonly DestinationRule[],
  namespace: string,
  client: Client,
): readonly DestinationRule[] {
  const here = rules.filter(({ metadata }) => metadata.namespace === namespace);
  const own = namespace === client.namespace;
  const selecting = here.filter(
    ({ spec }) => hasSelector(spec.workloadSelector) && own && selects(spec.workloadSelector, client.labels),
  );
  if (selecting.length > 0) return selecting;
  return here.filter(
    ({ spec, metadata }) =>
      !hasSelector(spec.workloadSelector) &&
      (own || visibility(spec.exportTo, metadata.namespace, client.namespace) !== undefined),
  );
}

function hasSelector(selector: Readonly<Record<string, string>>): boolean {
  return Object.keys(selector).length > 0;
}
