import { type DestinationStream, type Logger as PinoBase, pino, stdTimeFunctions } from "pino";
import type { LogFields, Logger } from "../mesh/telemetry/logger.ts";
import { redact } from "./redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "json" | "console";

interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly write: (line: string) => void;
}

/** A logger whose level, and that of all its children, can be changed while it runs. */
interface LeveledLogger extends Logger {
  setLevel(level: LogLevel): void;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/**
 * The programs' logger: JSON lines with `time`, `level`, `component`, `msg` for machines, short lines for a terminal.
 * What looks like a secret is `[redacted]` in both.
 */
export function createLogger({ level, format, write }: LoggerOptions): LeveledLogger {
  const destination: DestinationStream = {
    write: format === "json" ? write : (line) => write(toConsoleLine(line)),
  };
  const root = pino(
    {
      // Pino's levels are each child's own; the gate below is one for all.
      level: "debug",
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  let least = RANK[level];
  const setLevel = (level: LogLevel): void => {
    least = RANK[level];
  };
  return { ...wrap(root, (level) => RANK[level] >= least), setLevel };
}

/** Components nest by name: `server.ca`. */
function wrap(root: PinoBase, isEnabled: (level: LogLevel) => boolean, component = ""): Logger {
  const logger = component === "" ? root : root.child({ component });
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (isEnabled(level)) logger[level](redact(fields), message);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (name) => wrap(root, isEnabled, component === "" ? name : `${component}.${name}`),
  };
}

/** `03:04:05.678 WARN  xds  the push was refused  workload=default/reviews-v1` */
function toConsoleLine(line: string): string {
  const { time, level, component, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(
    ([key, value]) =>
      `${key}=${typeof value === "string" && !/[\s"=]/.test(value) ? value : JSON.stringify(value)}`,
  );
  const head = [String(time).slice(11, 23), String(level).toUpperCase().padEnd(5), component, msg];
  return `${[...head.filter((part) => part !== undefined), ...pairs].map(String).join("  ")}\n`;
}
