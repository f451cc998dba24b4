import { compileCondition } from "../../format/compile-cel.ts";
import { compileText, type Formatter } from "../../format/compile-format.ts";
import type { FormatPart } from "../../format/format.ts";
import { compileJson } from "../../format/json-format.ts";
import type { AccessLog, AccessLogs, LogFilter, LogFormat } from "../../model/access-log.ts";
import type { TrafficRecord } from "../records.ts";
import { flagsText } from "../response-flags.ts";
import type { EntrySink, LogSinks } from "./log-sinks.ts";
import type { RecordWriter } from "./otlp-log.ts";

/** The access logs of a listener, ready to be written. */
export interface CompiledLogs {
  /** The agent is told. */
  readonly calls: boolean;
  /** Each writes an entry, if it is one of those that it wants. */
  readonly writers: readonly RecordWriter[];
  /** These settings are gone. Requests that began with them write their entries all the same. */
  readonly release: () => void;
}

/** gRPC's, of what has not told its status. */
const UNKNOWN_STATUS = 2;

/** Compiles formats and filters once, when the configuration comes. */
export function compileLogs({ calls, logs }: AccessLogs, sinks: LogSinks): CompiledLogs {
  const opened = logs.map(({ destination, filter }) => ({ sink: sinkOf(destination, sinks), filter }));
  return {
    calls,
    writers: opened.map(({ sink, filter }) => (filter ? filtered(sink.write, filter) : sink.write)),
    release: () => {
      for (const { sink } of opened) sink.release();
    },
  };
}

function sinkOf(destination: AccessLog["destination"], sinks: LogSinks): EntrySink {
  if (destination.kind === "otlp") return sinks.otlp(destination);
  const format = compileLine(destination.format);
  const lines = sinks.file(destination.path);
  return {
    write: (record, durationMs) => lines.write(format(record, durationMs)),
    release: () => lines.release(),
  };
}

function filtered(write: RecordWriter, filter: LogFilter): RecordWriter {
  const wants = compileFilter(filter);
  return (record, durationMs) => {
    if (wants(record, durationMs)) write(record, durationMs);
  };
}

function compileLine(format: LogFormat): Formatter {
  if (format.kind === "json") {
    const json = compileJson(format.format, format.omitEmpty);
    return (record, durationMs) => `${json(record, durationMs)}\n`;
  }
  const text = compileText(format.format, format.omitEmpty ? "" : "-");
  // A line ends where its format ends it, and nowhere that a caller might like.
  const ends = endOf(format.format.at(-1));
  return (record, durationMs) => {
    const line = text(record, durationMs);
    const inside = line.length - ends;
    return hasControl(line, inside) ? withoutControl(line, inside) : line;
  };
}

function endOf(last: FormatPart | undefined): number {
  return typeof last === "string" && last.endsWith("\n") ? 1 : 0;
}

function hasControl(line: string, end: number): boolean {
  for (let index = 0; index < end; index++)
    if (line.charCodeAt(index) < 0x20 && line[index] !== "\t") return true;
  return false;
}

function withoutControl(line: string, end: number): string {
  const letters = Array.from(line.slice(0, end), (letter) =>
    letter < " " && letter !== "\t" ? JSON.stringify(letter).slice(1, -1) : letter,
  );
  return letters.join("") + line.slice(end);
}

function compileFilter(filter: LogFilter): (record: TrafficRecord, durationMs: number) => boolean {
  switch (filter.kind) {
    case "status":
    case "duration": {
      const test = comparison(filter);
      return filter.kind === "duration"
        ? (_record, durationMs) => test(Math.trunc(durationMs))
        : (record) => test(record.kind === "http" ? record.status : 0);
    }
    case "and": {
      const all = filter.filters.map(compileFilter);
      return (record, durationMs) => all.every((one) => one(record, durationMs));
    }
    case "or": {
      const any = filter.filters.map(compileFilter);
      return (record, durationMs) => any.some((one) => one(record, durationMs));
    }
    case "flags": {
      const wanted = new Set(filter.flags);
      return ({ flags }) =>
        wanted.size === 0
          ? flags.size > 0
          : flagsText(flags)
              .split(",")
              .some((flag) => wanted.has(flag));
    }
    case "grpc-status": {
      const statuses = new Set(filter.statuses);
      return (record) => {
        const status = record.kind === "http" ? record.grpcStatus : undefined;
        return statuses.has(status ?? UNKNOWN_STATUS) !== filter.exclude;
      };
    }
    case "expression":
      return compileCondition(filter.expression, () => {});
    default:
      return filter satisfies never;
  }
}

function comparison({
  operator,
  value,
}: Extract<LogFilter, { kind: "status" | "duration" }>): (is: number) => boolean {
  switch (operator) {
    case "equal":
      return (is) => is === value;
    case "at-least":
      return (is) => is >= value;
    case "at-most":
      return (is) => is <= value;
    default:
      return operator satisfies never;
  }
}
