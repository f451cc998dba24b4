import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { JsonValue } from "../../mesh/xds/json.ts";
import { type Bootstrap, LOG_LEVELS, type LogLevel } from "../config.ts";
import type { Workers } from "../workers/workers.ts";
import { certsJson } from "./certs.ts";
import { clustersJson, clustersText } from "./clusters.ts";

export interface AdminDeps {
  readonly bootstrap: Bootstrap;
  readonly workers: Workers;
  readonly concurrency: number;
  readonly startedMs: number;
  readonly nowMs: () => number;
  /** `DRAINING` from the moment of shutdown on. */
  readonly draining: () => boolean;
  /** Undefined: this program cannot change its level. */
  readonly setLogLevel: ((level: LogLevel) => void) | undefined;
}

interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly body: string;
}

type Page = (url: URL, deps: AdminDeps) => Answer | Promise<Answer>;

const LOOPBACK_NAME = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

/** Envoy's paths. What changes something wants POST, as in Envoy. */
const PAGES: ReadonlyMap<string, { readonly method: "GET" | "POST"; readonly page: Page }> = new Map([
  ["/", { method: "GET", page: help }],
  ["/help", { method: "GET", page: help }],
  ["/ready", { method: "GET", page: ready }],
  ["/config_dump", { method: "GET", page: async (_url, { workers }) => json(await workers.configDump()) }],
  ["/clusters", { method: "GET", page: clusters }],
  ["/listeners", { method: "GET", page: listeners }],
  ["/stats", { method: "GET", page: plainStats }],
  ["/stats/prometheus", { method: "GET", page: stats }],
  [
    "/certs",
    { method: "GET", page: async (_url, { workers }) => json(certsJson(await workers.certificates())) },
  ],
  ["/memory", { method: "GET", page: memory }],
  ["/runtime", { method: "GET", page: () => json({ layers: [], entries: {} }) }],
  ["/reopen_logs", { method: "POST", page: reopenLogs }],
  ["/server_info", { method: "GET", page: serverInfo }],
  ["/logging", { method: "POST", page: logging }],
  ["/drain_listeners", { method: "POST", page: drain }],
]);

/** The admin interface: on a unix socket (0600), and on a loopback port when the bootstrap names one. */
export class AdminServer implements AsyncDisposable {
  readonly #servers: Server[] = [];
  readonly #socketPath: string;

  private constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  static async start(deps: AdminDeps): Promise<AdminServer> {
    const { adminSocket, adminPort } = deps.bootstrap;
    const admin = new AdminServer(adminSocket);
    rmSync(adminSocket, { force: true });
    if (adminPort !== undefined) await admin.#listen(deps, { host: "127.0.0.1", port: adminPort });
    await admin.#listen(deps, { path: adminSocket });
    chmodSync(adminSocket, 0o600);
    return admin;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Gives its places up; once that is done, they may be another process'. */
  async close(): Promise<void> {
    const servers = this.#servers.splice(0);
    if (servers.length === 0) return;
    await Promise.all(
      servers.map(async (server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        await closed;
      }),
    );
    rmSync(this.#socketPath, { force: true });
  }

  async #listen(deps: AdminDeps, place: { path: string } | { host: string; port: number }): Promise<void> {
    const server = createServer((request, response) => {
      // A page in a browser must not reach a loopback port by a name of its own (DNS rebinding).
      if ("port" in place && !LOOPBACK_NAME.test(request.headers.host ?? "")) {
        response.writeHead(403).end("host not allowed\n");
      } else void answer(request, response, deps);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) =>
        reject(new MeshError("proxy.bind", `listen for the admin interface: ${messageOf(cause)}`, { cause })),
      );
      server.listen(place, resolve);
    });
    server.on("error", () => {});
    this.#servers.push(server);
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, deps: AdminDeps): Promise<void> {
  request.on("error", () => {});
  response.on("error", () => {});
  request.resume();
  const { status = 200, type = "text/plain; charset=utf-8", body } = await pageFor(request, deps);
  response.writeHead(status, { "content-type": type, "cache-control": "no-cache, max-age=0" });
  response.end(body);
}

async function pageFor(request: IncomingMessage, deps: AdminDeps): Promise<Answer> {
  try {
    const url = new URL(request.url ?? "/", "http://localhost");
    const found = PAGES.get(url.pathname);
    if (found === undefined) return { status: 404, body: "invalid path. see /help\n" };
    if (found.method !== request.method)
      return { status: 405, body: `Method Not Allowed: use ${found.method}\n` };
    return await found.page(url, deps);
  } catch (error) {
    return { status: 500, body: `${messageOf(error)}\n` };
  }
}

function json(value: JsonValue): Answer {
  return { type: "application/json", body: `${JSON.stringify(value, undefined, 1)}\n` };
}

function help(): Answer {
  return { body: [...PAGES].map(([path, { method }]) => `${path} (${method})\n`).join("") };
}

async function ready(_url: URL, { workers, draining }: AdminDeps): Promise<Answer> {
  if (draining()) return { status: 503, body: "DRAINING\n" };
  const missing = await workers.missing();
  if (missing.length === 0) return { body: "LIVE\n" };
  return { status: 503, body: `PRE_INITIALIZING\n${missing.map((reason) => `${reason}\n`).join("")}` };
}

async function clusters(url: URL, { workers }: AdminDeps): Promise<Answer> {
  const all = await workers.clusters();
  return url.searchParams.get("format") === "json" ? json(clustersJson(all)) : { body: clustersText(all) };
}

async function listeners(url: URL, { workers }: AdminDeps): Promise<Answer> {
  const all = await workers.listeners();
  if (url.searchParams.get("format") !== "json")
    return { body: all.map(({ name, address, port }) => `${name}::${address}:${port}\n`).join("") };
  return json({
    listener_statuses: all.map(({ name, address, port }) => ({
      name,
      local_address: { socket_address: { address, port_value: port } },
    })),
  });
}

/** Envoy's text form, of the same numbers: `name{labels}: value`. `filter` is a regular expression. */
async function plainStats(url: URL, deps: AdminDeps): Promise<Answer> {
  if (url.searchParams.get("format") === "prometheus") return await stats(url, deps);
  const filter = new RegExp(url.searchParams.get("filter") ?? "");
  const lines = (await deps.workers.metrics())
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#") && filter.test(line))
    .map((line) => `${line.slice(0, line.lastIndexOf(" "))}: ${line.slice(line.lastIndexOf(" ") + 1)}\n`);
  return { body: lines.join("") };
}

function memory(): Answer {
  const { heapUsed, heapTotal, rss } = process.memoryUsage();
  return json({
    allocated: String(heapUsed),
    heap_size: String(heapTotal),
    total_physical_bytes: String(rss),
  });
}

async function reopenLogs(_url: URL, { workers }: AdminDeps): Promise<Answer> {
  await workers.reopenLogs();
  return { body: "OK\n" };
}

async function stats(_url: URL, { workers }: AdminDeps): Promise<Answer> {
  return { type: "text/plain; version=0.0.4; charset=utf-8", body: await workers.metrics() };
}

async function serverInfo(_url: URL, deps: AdminDeps): Promise<Answer> {
  const { workers, bootstrap, draining, startedMs, nowMs, concurrency } = deps;
  const initialized = (await workers.missing()).length === 0;
  return json({
    version: `lateen/${process.version}`,
    state: draining() ? "DRAINING" : initialized ? "LIVE" : "PRE_INITIALIZING",
    uptime_current_epoch: `${Math.round((nowMs() - startedMs) / 1000)}s`,
    node: bootstrap.node as unknown as JsonValue,
    command_line_options: { log_level: bootstrap.logLevel, concurrency },
    // Envoy tells it in no place: whoever watches this process may not be the one who started it.
    pid: process.pid,
  });
}

function logging(url: URL, { setLogLevel }: AdminDeps): Answer {
  const wanted = url.searchParams.get("level");
  const level = LOG_LEVELS.find((one) => one === wanted);
  if (level === undefined) return { status: 400, body: `usage: /logging?level=<${LOG_LEVELS.join("|")}>\n` };
  if (setLogLevel === undefined)
    return { status: 501, body: "the log level of this program cannot be changed\n" };
  setLogLevel(level);
  return { body: `active loggers: ${level}\n` };
}

/** Answers close their connections; ports stay open, so that callers see no refusal while they go elsewhere. */
async function drain(url: URL, { workers }: AdminDeps): Promise<Answer> {
  await workers.drain(url.searchParams.has("inboundonly") ? "inbound" : "all");
  return { body: "OK\n" };
}
