import type { Violation } from "./violation.ts";

/** The way from the document's root to a field: keys and list indices. */
export type FieldPath = readonly (string | number)[];

/** A violation while it still has its path in parts, by which its line is found. */
export interface Finding {
  readonly path: FieldPath;
  readonly message: string;
  readonly severity: Violation["severity"];
}

export function errorAt(path: FieldPath, message: string): Finding {
  return { path, message, severity: "error" };
}

export function warningAt(path: FieldPath, message: string): Finding {
  return { path, message, severity: "warning" };
}

export function infoAt(path: FieldPath, message: string): Finding {
  return { path, message, severity: "info" };
}

/** The path as its author would write it: `spec.http[0].match[0].headers["end-user"]`. */
export function formatPath(path: FieldPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (!/^[A-Za-z_]\w*$/.test(part)) text += `[${JSON.stringify(shorten(part))}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** Quotes what an author wrote, cut to a length that fits a message. */
export function quoted(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(shorten(value)) : shorten(String(value));
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
