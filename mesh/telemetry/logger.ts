/** Values beside a log line's fixed sentence. Secrets never go in here. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The port that components log through; pino stands behind it in the programs. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry `component`. */
  child(component: string): Logger;
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
