import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOption,
} from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import type { Format } from "../format/format.ts";
import type { HeaderEdit, MessageEdits } from "../model/route.ts";
import { parseFormatText } from "./format.ts";
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
    return edit.value.length === 0 && !option.keepEmptyValue ? [] : [edit];
  });
  const appends = ({ action }: HeaderEdit): boolean => action === "append" || action === "add-if-absent";
  return [...edits.filter((edit) => !appends(edit)), ...edits.filter(appends)];
}

function parseEdit(where: string, option: HeaderValueOption): HeaderEdit {
  const { key, value: written, rawValue } = required(where, "header", option.header);
  const name = key.toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) throw invalid(where, `"${key}" is not a header name`);
  if (name === "host")
    throw invalid(where, "the host is rewritten with host_rewrite_literal, not as a header");
  const text = rawValue.length > 0 ? new TextDecoder().decode(rawValue) : written;
  if (hasControl(text)) throw invalid(where, `the value of header "${key}" has control characters`);
  const value = parseValue(`${where}: header "${key}"`, text);
  const keepEmpty = option.keepEmptyValue && typeof value !== "string";
  return { name, value, action: parseAction(where, option), ...(keepEmpty && { keepEmpty }) };
}

function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}

/** Values are Envoy's format strings. */
function parseValue(where: string, text: string): string | Format {
  const format = parseFormatText(where, text);
  const [only = "", ...others] = format;
  return typeof only === "string" && others.length === 0 ? only : format;
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
