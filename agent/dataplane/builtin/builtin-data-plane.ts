import { availableParallelism } from "node:os";
import { VERSION } from "../../../mesh/version.ts";
import { builtinBootstrap } from "../../bootstrap/builtin-bootstrap.ts";
import type { DataPlane, ProxyLogLine, ProxyProgram } from "../data-plane.ts";
import { ProcessSupervisor, type SupervisorOptions } from "../process-supervisor.ts";
import { Turns } from "../turns.ts";

export interface BuiltinOptions extends SupervisorOptions {
  /** Starts the proxy when `--bootstrap FILE --drain-seconds N` is appended: `[node, cli/lateen.js, "proxy"]`. */
  readonly command: readonly string[];
  readonly logLevel: string;
}

/** `lateen proxy`: one process for one node (many nodes in one process, DESIGN D6, is a later step). */
export function builtinDataPlane(options: BuiltinOptions): DataPlane {
  const program: ProxyProgram = {
    kind: "builtin",
    command: (file, concurrency) => [
      ...options.command,
      "--bootstrap",
      file,
      "--drain-seconds",
      String(options.drainMs / 1000),
      ...(concurrency === undefined ? [] : ["--concurrency", String(concurrency)]),
    ],
    workers: (concurrency = 1) => concurrency || availableParallelism(),
    bootstrap: (node, command) => builtinBootstrap(node, options.logLevel, command),
    succession: {
      version: `${VERSION} on Node ${process.versions.node}`,
      begin: (process) => process.kill("SIGUSR2"),
    },
    // It drains on SIGTERM and ends by itself when it has.
    drain: async (process) => process.kill("SIGTERM"),
    isDrained: async () => false,
    parseLogLine: parseBuiltinLogLine,
  };
  const { turns = new Turns() } = options;
  return {
    kind: "builtin",
    check: async () => {},
    create: (node, files, concurrency) => {
      const logger = options.logger.child("builtin");
      return new ProcessSupervisor(program, node, files, { ...options, logger, turns }, concurrency);
    },
  };
}

const PINO_LEVELS: ReadonlyMap<unknown, ProxyLogLine["level"]> = new Map<unknown, ProxyLogLine["level"]>([
  [10, "debug"],
  [20, "debug"],
  [30, "info"],
  [40, "warn"],
  [50, "error"],
  [60, "error"],
  ["trace", "debug"],
  ["debug", "debug"],
  ["info", "info"],
  ["warn", "warn"],
  ["error", "error"],
  ["fatal", "error"],
]);

/** Its lines are JSON with a level; what is not (a stack trace of a crash) is worth a warning. */
function parseBuiltinLogLine(line: string): ProxyLogLine {
  if (line.startsWith("{")) {
    try {
      const level = PINO_LEVELS.get((JSON.parse(line) as { level?: unknown }).level);
      if (level !== undefined) return { level, message: line };
    } catch {
      // A line that was cut off: handed on as it is.
    }
  }
  return { level: "warn", message: line };
}
