import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOption,
} from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import type { HeaderEdit, MessageEdits } from "../model/route.ts";
import { invalid, required, unsupported } from "./refuse.ts";

interface Editing {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** The names of the four fields that `parseEdits` reads. */
export const EDIT_FIELDS = [
  "requestHeadersToAdd",
  "requestHeadersToRemove",
  "responseHeadersToAdd",
  "responseHeadersToRemove",
] as const;

export function parseEdits(where: string, from: Editing): MessageEdits {
  return {
    request: {
      remove: from.requestHeadersToRemove.map((name) => parseRemoval(where, name)),
      add: parseAdditions(where, from.requestHeadersToAdd),
    },
    response: {
      remove: from.responseHeadersToRemove.map((name) => parseRemoval(where, name)),
      add: parseAdditions(where, from.responseHeadersToAdd),
    },
  };
}

function parseRemoval(where: string, name: string): string {
  const lower = name.toLowerCase();
  if (lower.startsWith(":") || lower === "host") throw invalid(where, `header "${name}" must not be removed`);
  return lower;
}

/** What overwrites comes before what appends, and an empty value says nothing unless it is to be kept (Envoy). */
function parseAdditions(where: string, options: readonly HeaderValueOption[]): HeaderEdit[] {
  const edits = options.flatMap((option) => {
    const edit = parseEdit(where, option);
    return edit.value === "" && !option.keepEmptyValue ? [] : [edit];
  });
  const appends = ({ action }: HeaderEdit): boolean => action === "append" || action === "add-if-absent";
  return [...edits.filter((edit) => !appends(edit)), ...edits.filter(appends)];
}

function parseEdit(where: string, option: HeaderValueOption): HeaderEdit {
  const { key, value, rawValue } = required(where, "header", option.header);
  const name = key.toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) throw invalid(where, `"${key}" is not a header name`);
  if (name === "host")
    throw invalid(where, "the host is rewritten with host_rewrite_literal, not as a header");
  const text = rawValue.length > 0 ? new TextDecoder().decode(rawValue) : value;
  if (hasControl(text)) throw invalid(where, `the value of header "${key}" has control characters`);
  return { name, value: literal(`${where}: header "${key}"`, text), action: parseAction(where, option) };
}

function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}

/** Values are Envoy format strings: `%%` is a percent sign, everything else in percents is a command. */
function literal(where: string, value: string): string {
  const rest = value.replaceAll("%%", "");
  if (rest.includes("%")) throw unsupported(where, `the format command in "${value}"`);
  return value.replaceAll("%%", "%");
}

function parseAction(where: string, option: HeaderValueOption): HeaderEdit["action"] {
  if (option.append !== undefined) return option.append ? "append" : "set";
  switch (option.appendAction) {
    case Action.APPEND_IF_EXISTS_OR_ADD:
      return "append";
    case Action.OVERWRITE_IF_EXISTS_OR_ADD:
      return "set";
    case Action.ADD_IF_ABSENT:
      return "add-if-absent";
    case Action.OVERWRITE_IF_EXISTS:
      return "replace-if-present";
    default:
      throw unsupported(where, `append_action ${option.appendAction}`);
  }
}
