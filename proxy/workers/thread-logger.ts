import { inspect } from "node:util";
import type { LogFields, Logger } from "../../mesh/telemetry/logger.ts";
import type { LogLevel } from "../config.ts";
import type { FromThread } from "./worker-messages.ts";

/** Hands a thread's lines to the one that writes them. */
export function threadLogger(
  tell: (line: Extract<FromThread, { kind: "log" }>) => void,
  isLogged: (level: LogLevel) => boolean,
  component = "",
): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (isLogged(level)) tell({ kind: "log", level, component, message, fields: plain(fields) });
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (name) => threadLogger(tell, isLogged, component === "" ? name : `${component}.${name}`),
  };
}

/** What cannot be sent to another thread must not cost the line. */
function plain(fields: LogFields): LogFields {
  try {
    return structuredClone(fields);
  } catch {
    return { fields: inspect(fields) };
  }
}
