import type { ConfigPatch } from "../../../mesh/model/envoy-filter.ts";
import type { MessageTypes } from "../../../mesh/xds/message-types.ts";
import type { SelectedPatch } from "../../policy/envoy-filters.ts";
import { hostPatterns } from "../../snapshot/host-names.ts";
import type { MeshSettings } from "../../snapshot/mesh-snapshot.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import { effectiveOperation, isKnown, patchNotices } from "./operations.ts";
import type { Patch, Target } from "./patch.ts";
import { readValue, reasonOf } from "./read-value.ts";

/** Patches by what they apply to, each list in the order in which it is applied. */
export type PatchLists = { readonly [T in Target]: readonly Patch<T>[] };

type GrowingLists = { readonly [T in Target]: Patch<T>[] };

interface PreparedPatches {
  readonly lists: PatchLists;
  /** Of the patches that have no effect, or another one than they seem to have. */
  readonly warnings: readonly PublishWarning[];
}

/** Patches as messages. One whose value is no message of its kind is left out, with a warning. */
export function preparePatches(
  types: MessageTypes,
  selected: readonly SelectedPatch[],
  settings: Pick<MeshSettings, "domainSuffix">,
): PreparedPatches {
  const lists: GrowingLists = {
    LISTENER: [],
    LISTENER_FILTER: [],
    FILTER_CHAIN: [],
    NETWORK_FILTER: [],
    HTTP_FILTER: [],
    ROUTE_CONFIGURATION: [],
    VIRTUAL_HOST: [],
    HTTP_ROUTE: [],
    CLUSTER: [],
    EXTENSION_CONFIG: [],
  };
  const warnings: PublishWarning[] = [];
  for (const { filter, index, patch } of selected) {
    const subject = `EnvoyFilter/${filter.metadata.namespace}/${filter.metadata.name}`;
    const warn = (message: string): void =>
      void warnings.push({ subject, message: `${patchPlace(index)} ${message}` });
    for (const notice of patchNotices(patch)) warn(notice);
    if (patch.applyTo === "BOOTSTRAP" || !isKnown(patch.applyTo, effectiveOperation(patch))) continue;
    try {
      const { service = "" } = patch.match.cluster ?? {};
      const services = service === "" ? [] : hostPatterns(service, filter.metadata.namespace, settings);
      add(lists, patch.applyTo, toPatch(types, patch.applyTo, patch, { subject, index, services }));
    } catch (error) {
      warn(`is not applied: ${reasonOf(error)}`);
    }
  }
  return { lists, warnings };
}

export function patchPlace(index: number): string {
  return `spec.configPatches[${index}]`;
}

function add<T extends Target>(lists: GrowingLists, applyTo: T, patch: Patch<T>): void {
  lists[applyTo].push(patch);
}

function toPatch<T extends Target>(
  types: MessageTypes,
  applyTo: T,
  patch: ConfigPatch,
  place: Pick<Patch<T>, "subject" | "index" | "services">,
): Patch<T> {
  const operation = effectiveOperation(patch);
  const value = patch.value && readValue(types, applyTo, operation, patch.value).value;
  return { applyTo, match: patch.match, operation, value, ...place };
}
