import { isDeepStrictEqual } from "node:util";
import type { Subset, TrafficPolicy } from "../../mesh/model/destination-rule.ts";
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
  /** The first of them. */
  readonly rule: DestinationRule | undefined;
}

const NO_POLICY: DestinationPolicy = { trafficPolicy: undefined, subsets: [], rule: undefined };

/** `inbound`: how a proxy calls its own application. Rules that choose clients say nothing about that. */
export type Direction = "outbound" | "inbound";

/**
 * Istio's look-up: the client's namespace (in the root namespace only what is private to it), then the service's, then
 * the root. In each, the most specific host that has rules decides; beyond the client's own namespace only what is
 * exported counts.
 */
export function findDestinationRules(
  view: SnapshotView,
  client: Pick<Client, "namespace" | "labels">,
  service: Pick<Service, "hostname" | "namespace">,
  direction: Direction = "outbound",
): RuleReference | undefined {
  const covering = patternsCovering(service.hostname).flatMap((pattern) => {
    const rules = view.destinationRules(pattern);
    return rules.length > 0 ? { pattern, rules } : [];
  });
  if (covering.length === 0) return undefined;
  const { rootNamespace } = view.settings;
  const inRoot = client.namespace === rootNamespace;
  const own = mostSpecific(view, covering, client.namespace, (rule) => {
    const { local, exported } = audience(view, rule);
    return inRoot ? !exported : local;
  });
  if (own !== undefined) return choose(own, client, direction);
  for (const namespace of new Set([service.namespace, rootNamespace])) {
    const there = mostSpecific(view, covering, namespace, (rule) => audience(view, rule).exported);
    const groups = there?.groups.filter((group) => {
      const seen = visibility(group.exportTo, namespace, client.namespace);
      return seen === "public" || seen === "exported";
    });
    if (there !== undefined && groups !== undefined && groups.length > 0) {
      return choose({ ...there, groups }, client, direction);
    }
  }
  return undefined;
}

/** Merges the rules of one reference: first subset of a name, first traffic policy. */
export function destinationPolicy(
  view: SnapshotView,
  reference: RuleReference | undefined,
): DestinationPolicy {
  if (reference === undefined) return NO_POLICY;
  const rules = view.destinationRules(reference.pattern).filter((one) => reference.keys.includes(keyOf(one)));
  const subsets = new Map<string, Subset>();
  for (const subset of rules.flatMap(({ spec }) => spec.subsets)) {
    if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  }
  return {
    trafficPolicy: rules.find(({ spec }) => spec.trafficPolicy !== undefined)?.spec.trafficPolicy,
    subsets: [...subsets.values()],
    rule: rules[0],
  };
}

/** The rules that a cluster follows, as part of a key. */
export function rulesKey(reference: RuleReference | undefined): string {
  return reference?.keys.join(",") ?? "";
}

/** Rules of one host and namespace that count as one. */
interface RuleGroup {
  readonly exportTo: readonly string[];
  readonly selector: Readonly<Record<string, string>>;
  readonly keys: ObjectKey[];
}

interface RulesOfHost {
  readonly pattern: string;
  readonly groups: readonly RuleGroup[];
}

function mostSpecific(
  view: SnapshotView,
  covering: readonly { readonly pattern: string; readonly rules: readonly DestinationRule[] }[],
  namespace: string,
  belongs: (rule: DestinationRule) => boolean,
): RulesOfHost | undefined {
  for (const { pattern, rules } of covering) {
    const here = rules.filter((rule) => rule.metadata.namespace === namespace && belongs(rule));
    if (here.length > 0) return { pattern, groups: grouped(view, here) };
  }
  return undefined;
}

/** Who a rule is for: its own namespace, and others. A rule that chooses clients is private. */
function audience(
  view: SnapshotView,
  rule: DestinationRule,
): { readonly local: boolean; readonly exported: boolean } {
  const exportTo = exportToOf(view, rule);
  const { namespace } = rule.metadata;
  const own = exportTo.includes(".") || exportTo.includes(namespace);
  return {
    local: own || exportTo.length === 0 || exportTo.includes("*"),
    exported: !(own && exportTo.length === 1),
  };
}

function exportToOf({ settings }: SnapshotView, { spec }: DestinationRule): readonly string[] {
  if (hasSelector(spec.workloadSelector)) return ["."];
  return spec.exportTo.length > 0 ? spec.exportTo : settings.mesh.defaultDestinationRuleExportTo;
}

/**
 * Istio's merging: oldest first, a rule joins those before it that are for the same clients and that it reaches no fewer
 * namespaces than; one that joins none stands for itself.
 */
function grouped(view: SnapshotView, rules: readonly DestinationRule[]): readonly RuleGroup[] {
  const groups: RuleGroup[] = [];
  for (const rule of rules) {
    const exportTo = exportToOf(view, rule);
    const selector = rule.spec.workloadSelector;
    let alone = true;
    for (const group of groups) {
      const joins = isDeepStrictEqual(group.selector, selector) && reaches(exportTo, group.exportTo);
      if (joins) group.keys.push(keyOf(rule));
      alone = !joins;
    }
    if (alone) groups.push({ exportTo, selector, keys: [keyOf(rule)] });
  }
  return groups;
}

function reaches(wider: readonly string[], narrower: readonly string[]): boolean {
  if (narrower.length === 0) return wider.length === 0;
  return narrower.every((name) => wider.includes(name));
}

/** A group that chooses the client comes first; of the others the youngest, as in Istio. */
function choose(
  { pattern, groups }: RulesOfHost,
  client: Pick<Client, "labels">,
  direction: Direction,
): RuleReference | undefined {
  const choosing = groups.find(
    ({ selector }) => direction === "outbound" && hasSelector(selector) && selects(selector, client.labels),
  );
  const group = choosing ?? groups.findLast(({ selector }) => !hasSelector(selector));
  return group && { pattern, keys: group.keys };
}

function hasSelector(selector: Readonly<Record<string, string>>): boolean {
  return Object.keys(selector).length > 0;
}
