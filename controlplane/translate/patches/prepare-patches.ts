import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { ConfigPatch, PatchOperation } from "../../../mesh/model/envoy-filter.ts";
import { createXdsJson, type JsonValue } from "../../../mesh/xds/json.ts";
import type { MessageTypes } from "../../../mesh/xds/message-types.ts";
import type { SelectedPatch } from "../../policy/envoy-filters.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import { CODECS, type MessageOf, type Patch, type PatchValue, type Target } from "./patch.ts";

/** Patches by what they apply to, each list in the order in which it is applied. */
export type PatchLists = { readonly [T in Target]: readonly Patch<T>[] };

export interface PreparedPatches {
  readonly lists: PatchLists;
  /** Of the patches that cannot be applied at all. */
  readonly warnings: readonly PublishWarning[];
}

/** Patches as messages. One whose value is no message of its kind is left out, with a warning. */
export function preparePatches(types: MessageTypes, selected: readonly SelectedPatch[]): PreparedPatches {
  const lists: { [T in Target]: Patch<T>[] } = {
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
  const take = <T extends Target>(applyTo: T, { filter, index, patch }: SelectedPatch): void => {
    const { namespace, name } = filter.metadata;
    const subject = `EnvoyFilter/${namespace}/${name}`;
    try {
      const value = patch.value && decodeValue(types, applyTo, patch.value).value;
      const operation = effectiveOperation(patch);
      if (operation === "ADD" && RESOURCES.includes(applyTo) && value?.message.name === "")
        throw new MeshError("xds.rejected", "its value has no name");
      lists[applyTo].push({ applyTo, match: patch.match, operation, value, subject, index });
    } catch (error) {
      warnings.push({ subject, message: `${patchPlace(index)} is not applied: ${reasonOf(error)}` });
    }
  };
  for (const one of selected) {
    const { filter, index, patch } = one;
    if (patch.applyTo !== "BOOTSTRAP") take(patch.applyTo, one);
    for (const message of patchNotices(patch)) {
      const subject = `EnvoyFilter/${filter.metadata.namespace}/${filter.metadata.name}`;
      warnings.push({ subject, message: `${patchPlace(index)} ${message}` });
    }
  }
  return { lists, warnings };
}

export function patchPlace(index: number): string {
  return `spec.configPatches[${index}]`;
}

/** Why a patch has no effect, or another one than its author may expect. */
export function patchNotices(patch: ConfigPatch): readonly string[] {
  const { applyTo, match, filterClass } = patch;
  if (applyTo === "BOOTSTRAP")
    return ["has no effect: a bootstrap is the agent's, and BOOTSTRAP cannot be applied over xDS"];
  const notices: string[] = [];
  const operation = effectiveOperation(patch);
  if (!OPERATIONS[applyTo].includes(operation))
    notices.push(`has no effect: ${operation} does nothing with applyTo ${applyTo}`);
  else if (CHOOSING.includes(operation) && isOfFilter(applyTo) && !choosesFilter(patch))
    notices.push(`has no effect: ${operation} needs the name of a filter in its match`);
  if (match.listener?.portName !== undefined && match.listener.portName !== "")
    notices.push("matches more than it says: a listener's portName is not looked at, as in Istio");
  if (filterClass !== undefined)
    notices.push(`is applied without regard to filterClass ${filterClass}: its operation says where`);
  return notices;
}

/** What stands for itself, and so needs a name. */
const RESOURCES: readonly Target[] = ["LISTENER", "CLUSTER", "EXTENSION_CONFIG"];

const LISTED: readonly PatchOperation[] = ["ADD", "REMOVE", "MERGE", "MERGE_AND_REPLACE_LIST"];
const INSERTS: readonly PatchOperation[] = ["INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"];
const ALL: readonly PatchOperation[] = [...LISTED, ...INSERTS, "REPLACE"];
const CHOOSING: readonly PatchOperation[] = ["REMOVE", "REPLACE"];

/** What Istio's translation does; the others do nothing. */
const OPERATIONS: { readonly [T in Target]: readonly PatchOperation[] } = {
  LISTENER: LISTED,
  LISTENER_FILTER: ALL,
  FILTER_CHAIN: LISTED,
  NETWORK_FILTER: ALL,
  HTTP_FILTER: ALL,
  ROUTE_CONFIGURATION: ["MERGE", "MERGE_AND_REPLACE_LIST"],
  VIRTUAL_HOST: [...LISTED, "REPLACE"],
  HTTP_ROUTE: [...LISTED, ...INSERTS],
  CLUSTER: LISTED,
  EXTENSION_CONFIG: ["ADD"],
};

/** An insertion where no order matters is an addition. */
function effectiveOperation({ applyTo, operation }: ConfigPatch): PatchOperation {
  const ordered = isOfFilter(applyTo) || applyTo === "HTTP_ROUTE";
  return INSERTS.includes(operation) && !ordered ? "ADD" : operation;
}

function isOfFilter(applyTo: ConfigPatch["applyTo"]): boolean {
  return applyTo === "LISTENER_FILTER" || applyTo === "NETWORK_FILTER" || applyTo === "HTTP_FILTER";
}

function choosesFilter({ applyTo, match: { listener } }: ConfigPatch): boolean {
  const filter = listener?.filterChain?.filter;
  if (applyTo === "LISTENER_FILTER") return listener !== undefined && listener.listenerFilter !== "";
  return applyTo === "HTTP_FILTER" ? (filter?.subFilter ?? "") !== "" : filter !== undefined;
}

interface DecodedValue<M> {
  readonly value: PatchValue<M>;
  /** What it says and this program does not know: it is left out. */
  readonly unknown: string | undefined;
}

/** Reads a patch's ProtoJSON. Fields of a newer Envoy are left out; throws `xds.rejected` for all else. */
export function decodeValue<T extends Target>(
  types: MessageTypes,
  applyTo: T,
  value: Readonly<Record<string, unknown>>,
): DecodedValue<MessageOf[T]> {
  const { typeName, decode } = CODECS[applyTo];
  const json = createXdsJson(types);
  let bytes: Uint8Array;
  let unknown: string | undefined;
  try {
    bytes = json.jsonToResource(typeName, value as JsonValue);
  } catch (error) {
    bytes = json.jsonToResource(typeName, value as JsonValue, { ignoreUnknownFields: true });
    unknown = reasonOf(error);
  }
  return { value: { bytes, message: decode(bytes) }, unknown };
}

/** The library's own words: they name the field. */
export function reasonOf(error: unknown): string {
  return error instanceof MeshError && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
}
