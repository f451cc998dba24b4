import { envoyBootstrap } from "../../bootstrap/envoy-bootstrap.ts";
import { askAdmin } from "../admin-client.ts";
import type { DataPlane, ProxyLogLine, ProxyProgram } from "../data-plane.ts";
import { ProcessSupervisor, type SupervisorOptions } from "../process-supervisor.ts";
import { checkEnvoyVersion } from "./envoy-version.ts";

export interface EnvoyOptions extends SupervisorOptions {
  /** Path or name of the binary. */
  readonly envoy: string;
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

/** Worker threads where nobody says: a host has an Envoy for each workload, and Istio's sidecars do with two. */
const CONCURRENCY = 2;

/** Envoy, a process for each workload. */
export function envoyDataPlane(options: EnvoyOptions): DataPlane {
  const program: ProxyProgram = {
    kind: "envoy",
    command: (file, concurrency) => [
      options.envoy,
      ...envoyArguments(file, options.logLevel, options.drainMs, concurrency),
    ],
    // Of the cores it counts those that it may use in ways of its own.
    workers: (concurrency = CONCURRENCY) => concurrency || undefined,
    bootstrap: envoyBootstrap,
    drain: async ({ adminSocket }) => {
      await askAdmin(adminSocket, "/drain_listeners?graceful", { method: "POST" });
    },
    stopAccepting: async ({ adminSocket }) => {
      await askAdmin(adminSocket, "/drain_listeners", { method: "POST" });
    },
    isDrained: async ({ adminSocket }) => {
      const { body } = await askAdmin(adminSocket, "/stats?filter=downstream_cx_active");
      return activeConnections(body) === 0;
    },
    parseLogLine: parseEnvoyLogLine,
  };
  return {
    kind: "envoy",
    check: async (signal) => {
      const version = await checkEnvoyVersion(options.envoy, signal);
      options.logger.info("found Envoy", { version, path: options.envoy });
    },
    create: (node, files, concurrency) => {
      const logger = options.logger.child("envoy");
      return new ProcessSupervisor(program, node, files, { ...options, logger }, concurrency);
    },
  };
}

/** Envoy's command line. The log format is level, logger and message with tabs between, for `parseEnvoyLogLine`. */
export function envoyArguments(
  bootstrapFile: string,
  logLevel: EnvoyOptions["logLevel"],
  drainMs: number,
  concurrency: number = CONCURRENCY,
): readonly string[] {
  const options = {
    "--config-path": bootstrapFile,
    "--log-level": logLevel === "warn" ? "warning" : logLevel,
    "--log-format": "%l\t%n\t%v",
    "--drain-time-s": String(Math.max(1, Math.round(drainMs / 1000))),
    "--drain-strategy": "immediate",
    // Without it Envoy has a worker for each core.
    ...(concurrency === 0 ? {} : { "--concurrency": String(concurrency) }),
  };
  return [...Object.entries(options).flat(), "--disable-hot-restart"];
}

/** Sums what the listeners of traffic have open; Envoy counts each listener again by worker, and its admin too. */
export function activeConnections(stats: string): number {
  let sum = 0;
  for (const line of stats.split("\n")) {
    const [, name = "", value] = /^listener\.(.+)\.downstream_cx_active: (\d+)$/.exec(line) ?? [];
    if (value !== undefined && !/^admin(\.|$)|\.(worker_\d+|main_thread)$/.test(name)) sum += Number(value);
  }
  return sum;
}

const LEVELS: ReadonlyMap<string, ProxyLogLine["level"]> = new Map<string, ProxyLogLine["level"]>([
  ["trace", "debug"],
  ["debug", "debug"],
  ["info", "info"],
  ["warning", "warn"],
  ["error", "error"],
  ["critical", "error"],
]);

export function parseEnvoyLogLine(line: string): ProxyLogLine {
  const [word = "", logger, ...message] = line.split("\t");
  const level = LEVELS.get(word);
  if (level === undefined || logger === undefined) return { level: "warn", message: line };
  return { level, message: `${logger}: ${message.join("\t")}` };
}
