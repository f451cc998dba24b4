import type { DestinationRuleSpec } from "../../mesh/model/destination-rule.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { StoreChange } from "../store/config-store.ts";
import { byText } from "./text-order.ts";

/**
 * The label keys by which VirtualServices (`sourceLabels`) and DestinationRules (`workloadSelector`, `failoverPriority`)
 * choose clients.
 * Other labels make no difference to what a client gets, so clients that differ in those only share it.
 */
export class SelectedLabels {
  /** Per key, how many objects name it. */
  readonly #uses = new Map<string, number>();
  #keys: readonly string[] = [];

  /** Sorted; the same list as before when nothing has changed. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  update({ before, after }: StoreChange): void {
    const edits = [
      ...keysOf(before).map((key) => [key, -1] as const),
      ...keysOf(after).map((key) => [key, 1] as const),
    ];
    let different = false;
    for (const [key, by] of edits) {
      const uses = this.#uses.get(key) ?? 0;
      if (uses + by > 0) this.#uses.set(key, uses + by);
      else this.#uses.delete(key);
      different ||= uses === 0 || uses + by === 0;
    }
    if (!different) return;
    const keys = [...this.#uses.keys()].sort(byText);
    if (keys.join(" ") !== this.#keys.join(" ")) this.#keys = keys;
  }
}

function keysOf(object: StoredObject | undefined): readonly string[] {
  if (object === undefined) return [];
  switch (object.kind) {
    case "VirtualService": {
      const { http, tls, tcp } = (object as StoredObject<"VirtualService">).spec;
      const matches: readonly { readonly sourceLabels: Readonly<Record<string, string>> }[] = [
        ...http.flatMap(({ match }) => match),
        ...tls.flatMap(({ match }) => match),
        ...tcp.flatMap(({ match }) => match),
      ];
      return [...new Set(matches.flatMap(({ sourceLabels }) => Object.keys(sourceLabels)))];
    }
    case "DestinationRule":
      return destinationRuleKeys((object as StoredObject<"DestinationRule">).spec);
    default:
      return [];
  }
}

function destinationRuleKeys({
  workloadSelector,
  trafficPolicy,
  subsets,
}: DestinationRuleSpec): readonly string[] {
  const policies = [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)];
  const wanted = policies
    .flatMap((policy) => [policy, ...(policy?.portLevelSettings ?? [])])
    .flatMap((policy) => policy?.loadBalancer?.locality?.failoverPriority ?? []);
  return [...new Set([...Object.keys(workloadSelector), ...wanted.map(failoverKey)])];
}

/** `key=value` wants that value of endpoints; `key` the client's own. */
export function failoverKey(wanted: string): string {
  return wanted.split("=", 1)[0] ?? "";
}
