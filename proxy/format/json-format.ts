import type { TrafficRecord } from "../telemetry/records.ts";
import { compileSingle, compileText, type Formatter } from "./compile-format.ts";
import type { Format } from "./format.ts";

/** A tree of formats. */
export type JsonFormat =
  | { readonly kind: "value"; readonly format: Format }
  | { readonly kind: "literal"; readonly value: number | boolean | null }
  | { readonly kind: "object"; readonly fields: readonly (readonly [name: string, value: JsonFormat])[] }
  | { readonly kind: "list"; readonly items: readonly JsonFormat[] };

/** JSON text, or undefined for what is left out. */
type Writer = (record: TrafficRecord, durationMs: number) => string | undefined;

/**
 * Compiles a JSON format: a value that is one command keeps its type and is `null` where there is none. `omitEmpty` leaves
 * such fields out.
 */
export function compileJson(format: JsonFormat, omitEmpty: boolean): Formatter {
  const write = compileNode(format, omitEmpty);
  return (record, durationMs) => write(record, durationMs) ?? "{}";
}

function compileNode(format: JsonFormat, omitEmpty: boolean): Writer {
  switch (format.kind) {
    case "literal": {
      const text = JSON.stringify(format.value);
      return () => text;
    }
    case "value":
      return compileValue(format.format, omitEmpty);
    case "list": {
      const items = format.items.map((item) => compileNode(item, omitEmpty));
      return (record, durationMs) => `[${items.flatMap((item) => item(record, durationMs) ?? []).join(",")}]`;
    }
    case "object": {
      const fields = format.fields.map(
        ([name, value]) => [`${JSON.stringify(name)}:`, compileNode(value, omitEmpty)] as const,
      );
      return (record, durationMs) => {
        let text = "";
        for (const [name, write] of fields) {
          const value = write(record, durationMs);
          if (value !== undefined) text += `${text === "" ? "" : ","}${name}${value}`;
        }
        return `{${text}}`;
      };
    }
    default:
      return format satisfies never;
  }
}

function compileValue(format: Format, omitEmpty: boolean): Writer {
  const single = compileSingle(format);
  if (single !== undefined) {
    return (record, durationMs) => {
      const value = single(record, durationMs);
      return value === undefined ? (omitEmpty ? undefined : "null") : JSON.stringify(value);
    };
  }
  const text = compileText(format, omitEmpty ? "" : "-");
  return (record, durationMs) => JSON.stringify(text(record, durationMs));
}
