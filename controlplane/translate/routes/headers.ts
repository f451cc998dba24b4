import type { HeaderEdits, HeaderOperations } from "../../../mesh/model/match.ts";
import {
  HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
} from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { byText } from "../../snapshot/text-order.ts";

/** The header fields that routes and weighted clusters have in common. */
export interface HeaderFields {
  readonly requestHeadersToAdd: HeaderValueOption[];
  readonly requestHeadersToRemove: string[];
  readonly responseHeadersToAdd: HeaderValueOption[];
  readonly responseHeadersToRemove: string[];
}

const HOST_HEADERS = new Set(["host", ":authority"]);

/** Of several operations the later come after the earlier, so that their `set` has the last word. */
export function headerFields(...operations: readonly HeaderOperations[]): HeaderFields {
  return {
    requestHeadersToAdd: operations.flatMap(({ request }) => toAdd(request)),
    requestHeadersToRemove: operations.flatMap(({ request }) => toRemove(request)),
    responseHeadersToAdd: operations.flatMap(({ response }) => toAdd(response)),
    responseHeadersToRemove: operations.flatMap(({ response }) => toRemove(response)),
  };
}

/** Setting the request's host is a rewrite of the authority, not a header: Envoy refuses to add it. */
export function authorityFrom({ request }: HeaderOperations): string | undefined {
  return Object.entries({ ...request.add, ...request.set }).findLast(([name]) => isHost(name))?.[1];
}

function toAdd({ set, add }: HeaderEdits): HeaderValueOption[] {
  return [
    ...options(set, HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...options(add, HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD),
  ];
}

function toRemove({ remove }: HeaderEdits): string[] {
  return remove.filter((name) => !isInternal(name));
}

function options(
  headers: Readonly<Record<string, string>>,
  appendAction: HeaderValueOption_HeaderAppendAction,
): HeaderValueOption[] {
  return Object.entries(headers)
    .filter(([key]) => !isInternal(key))
    .sort(([a], [b]) => byText(a, b))
    .map(([key, value]) => HeaderValueOption.fromPartial({ header: { key, value }, appendAction }));
}

function isHost(name: string): boolean {
  return HOST_HEADERS.has(name.toLowerCase());
}

/** Envoy lets nobody edit these. */
function isInternal(name: string): boolean {
  return name.startsWith(":") || isHost(name);
}
