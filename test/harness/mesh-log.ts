import type { LogFields, Logger } from "../../mesh/telemetry/logger.ts";
import { secretsIn } from "../canaries/secrets-in.ts";

interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly component: string;
  readonly message: string;
  readonly fields: LogFields;
}

/**
 * A logger that keeps its lines. With `LATEEN_TEST_LOG` set they go to stderr too; a line that has a secret goes there in
 * any case, where the run's canaries find it.
 */
export class LogBook {
  readonly entries: LogEntry[] = [];
  readonly logger: Logger;

  constructor(name: string) {
    this.logger = this.#loggerOf(name);
  }

  /** All lines as text, for matching. */
  get text(): string {
    return this.entries.map(toText).join("\n");
  }

  #loggerOf(component: string): Logger {
    const at =
      (level: LogEntry["level"]) =>
      (message: string, fields: LogFields = {}): void => {
        const entry = { level, component, message, fields };
        this.entries.push(entry);
        const text = toText(entry);
        if (process.env["LATEEN_TEST_LOG"] !== undefined || secretsIn(text).length > 0)
          process.stderr.write(`${text}\n`);
      };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (name) => this.#loggerOf(`${component}.${name}`),
    };
  }
}

function toText({ level, component, message, fields }: LogEntry): string {
  return `${level} ${component}: ${message} ${JSON.stringify(fields)}`.replaceAll("\\n", "\n");
}
