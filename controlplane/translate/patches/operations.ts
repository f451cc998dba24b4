import type { ApplyTo, ConfigPatch, PatchOperation } from "../../../mesh/model/envoy-filter.ts";
import type { Target } from "./patch.ts";

const LISTED: readonly PatchOperation[] = ["ADD", "REMOVE", "MERGE", "MERGE_AND_REPLACE_LIST"];
const INSERTS: readonly PatchOperation[] = ["INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"];
const ALL: readonly PatchOperation[] = [...LISTED, ...INSERTS, "REPLACE"];
const CHOOSING: readonly PatchOperation[] = ["REMOVE", "REPLACE"];

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
export function effectiveOperation({
  applyTo,
  operation,
}: Pick<ConfigPatch, "applyTo" | "operation">): PatchOperation {
  const ordered = isOfFilters(applyTo) || applyTo === "HTTP_ROUTE";
  return INSERTS.includes(operation) && !ordered ? "ADD" : operation;
}

/** Whether Istio's translation does anything with the operation where it is applied. */
export function isKnown(applyTo: Target, operation: PatchOperation): boolean {
  return OPERATIONS[applyTo].includes(operation);
}

/** Why a patch has no effect, or another one than its author may expect. */
export function patchNotices(patch: ConfigPatch): readonly string[] {
  const { applyTo, match, filterClass } = patch;
  if (applyTo === "BOOTSTRAP") return ["has no effect: BOOTSTRAP cannot be applied over xDS"];
  const notices: string[] = [];
  const operation = effectiveOperation(patch);
  if (!isKnown(applyTo, operation)) {
    notices.push(`has no effect: ${operation} does nothing with applyTo ${applyTo}`);
  } else if (CHOOSING.includes(operation) && isOfFilters(applyTo) && !choosesFilter(patch)) {
    notices.push(`has no effect: ${operation} needs a match that names the filter`);
  }
  if ((match.listener?.portName ?? "") !== "")
    notices.push("is applied whatever the port's name: a listener's portName is not looked at, as in Istio");
  const { service = "", name = "" } = match.cluster ?? {};
  if (name === "" && service !== "" && !service.includes("."))
    notices.push(`is for the host ${service} alone: services of the mesh have their full names here`);
  if (filterClass !== undefined)
    notices.push(`is applied without regard to filterClass: its operation says where`);
  return notices;
}

function isOfFilters(applyTo: ApplyTo): boolean {
  return applyTo === "LISTENER_FILTER" || applyTo === "NETWORK_FILTER" || applyTo === "HTTP_FILTER";
}

function choosesFilter({ applyTo, match: { listener } }: ConfigPatch): boolean {
  const filter = listener?.filterChain?.filter;
  if (applyTo === "LISTENER_FILTER") return (listener?.listenerFilter ?? "") !== "";
  return applyTo === "HTTP_FILTER" ? (filter?.subFilter ?? "") !== "" : filter !== undefined;
}
