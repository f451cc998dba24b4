import type { TrafficRecord } from "../telemetry/records.ts";
import type { Command, Format } from "./format.ts";
import { compileCommand, type Extractor, type Value } from "./operators.ts";

export type Formatter = (record: TrafficRecord, durationMs: number) => string;

/** Whether a command is known, with an argument that means something. */
export function isKnown(command: Command): boolean {
  return compileCommand(command) !== undefined;
}

/** Compiles a format whose commands are known. `missing` stands for a value that is not there. */
export function compileText(format: Format, missing = "-"): Formatter {
  const parts = format.map((part) => (typeof part === "string" ? part : compileCut(part)));
  const [only] = parts;
  if (parts.length === 1 && typeof only === "function")
    return (record, durationMs) => String(only(record, durationMs) ?? missing);
  return (record, durationMs) => {
    let text = "";
    for (const part of parts) text += typeof part === "string" ? part : (part(record, durationMs) ?? missing);
    return text;
  };
}

/** A value with its type, of a format that is one command; undefined: the format is more, or less. */
export function compileSingle(format: Format): Extractor | undefined {
  const [only, ...others] = format;
  if (only === undefined || typeof only === "string" || others.length > 0) return undefined;
  return compileCut(only);
}

function compileCut(command: Command): Extractor {
  const read = compileCommand(command);
  if (read === undefined) throw new Error(`%${command.name}% is no command`);
  const { longest } = command;
  if (longest === undefined) return read;
  return (record, durationMs) => cut(read(record, durationMs), longest);
}

function cut(value: Value, longest: number): Value {
  return typeof value === "string" && value.length > longest ? value.slice(0, longest) : value;
}
