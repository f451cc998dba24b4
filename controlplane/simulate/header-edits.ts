import {
  HeaderValueOption_HeaderAppendAction as Append,
  type HeaderValueOption,
} from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";

/** What routes, virtual hosts, route configurations and weighted clusters say of headers. */
export interface HeaderMutations {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** In the order of application: at each level removals come first. */
export function requestEdits(levels: readonly HeaderMutations[]): readonly string[] {
  return levels.flatMap(({ requestHeadersToAdd, requestHeadersToRemove }) =>
    editTexts(requestHeadersToAdd, requestHeadersToRemove),
  );
}

export function responseEdits(levels: readonly HeaderMutations[]): readonly string[] {
  return levels.flatMap(({ responseHeadersToAdd, responseHeadersToRemove }) =>
    editTexts(responseHeadersToAdd, responseHeadersToRemove),
  );
}

function editTexts(added: readonly HeaderValueOption[], removed: readonly string[]): readonly string[] {
  return [
    ...removed.map((name) => `remove ${name}`),
    ...added.map((option) => `${verbOf(option)} ${option.header?.key ?? ""}: ${option.header?.value ?? ""}`),
  ];
}

function verbOf({ append, appendAction }: HeaderValueOption): string {
  // The older boolean field: false overwrites.
  if (append === false) return "set";
  switch (appendAction) {
    case Append.ADD_IF_ABSENT:
      return "add if absent";
    case Append.OVERWRITE_IF_EXISTS_OR_ADD:
      return "set";
    case Append.OVERWRITE_IF_EXISTS:
      return "replace";
    default:
      return "add";
  }
}
