import type { SubstitutionFormatString } from "../../mesh/xds/gen/envoy/config/core/v3/substitution_format_string.ts";
import type { Struct } from "../../mesh/xds/gen/google/protobuf/struct.ts";
import { isKnown } from "../format/compile-format.ts";
import { type Format, parseFormat } from "../format/format.ts";
import type { JsonFormat } from "../format/json-format.ts";
import type { LogFormat } from "../model/access-log.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";
import { inlineBytes } from "./values.ts";

/** A text with format commands. Throws for one that is not known, by its name. */
export function parseFormatText(where: string, text: string): Format {
  const format = parseFormat(text);
  if ("problem" in format) throw invalid(where, `"${format.problem}" is no format command`);
  const unknown = format.find((part) => typeof part !== "string" && !isKnown(part));
  if (unknown !== undefined && typeof unknown !== "string") {
    const argument = unknown.argument === undefined ? "" : `(${unknown.argument})`;
    throw unsupported(where, `the format command %${unknown.name}${argument}%`);
  }
  return format;
}

export function parseLogFormat(where: string, from: SubstitutionFormatString): LogFormat {
  onlyFields(where, from, [
    "textFormat",
    "textFormatSource",
    "jsonFormat",
    "omitEmptyValues",
    // Fields are sorted anyway.
    "jsonFormatOptions",
    "formatters",
  ]);
  const omitEmpty = from.omitEmptyValues;
  if (from.jsonFormat !== undefined) {
    return { kind: "json", format: parseJsonFormat(where, from.jsonFormat), omitEmpty };
  }
  const text =
    from.textFormat ??
    new TextDecoder().decode(inlineBytes(`${where}: text_format_source`, from.textFormatSource));
  return { kind: "text", format: parseFormatText(where, text), omitEmpty };
}

export function parseJsonFormat(
  where: string,
  from: NonNullable<ReturnType<typeof Struct.unwrap>>,
): JsonFormat {
  return parseNode(where, from);
}

function parseNode(where: string, value: unknown): JsonFormat {
  if (typeof value === "string") return { kind: "value", format: parseFormatText(where, value) };
  if (typeof value === "number" || typeof value === "boolean" || value === null)
    return { kind: "literal", value };
  if (Array.isArray(value)) return { kind: "list", items: value.map((item) => parseNode(where, item)) };
  if (typeof value !== "object") throw invalid(where, "a JSON format with something that is not JSON");
  const fields = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => [name, parseNode(`${where}: ${name}`, inner)] as const);
  return { kind: "object", fields };
}
