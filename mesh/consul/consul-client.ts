import { EventEmitter } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import {
  type CatalogAnswer,
  type CatalogClient,
  type CatalogRequest,
  parseIndex,
} from "../blocking/blocking-client.ts";
import { MeshError, messageOf } from "../errors.ts";
import { BoundedBody } from "./bounded-body.ts";
import { ConsulConnections, type ConsulTls } from "./consul-connections.ts";

export interface ConsulSettings {
  /** `http://127.0.0.1:8500`, `https://…`, or `unix:///run/consul.sock`. */
  readonly address: string;
  readonly tls?: ConsulTls | undefined;
  /** TLS files are looked at again after this time. Default a minute. */
  readonly tlsLookAgainMs?: number;
  /** Read again before each request, so that a rotated token needs no restart. */
  readonly tokenFile?: string | undefined;
  /** Default: that of the agent that is asked. */
  readonly datacenter?: string | undefined;
  /** Of Consul Enterprise. Default: the token's own. */
  readonly namespace?: string | undefined;
  readonly partition?: string | undefined;
  /** Longer answers are refused while they arrive. Default 32 MiB. */
  readonly maxBodyBytes?: number;
  /** An answer that has begun must have ended after this time. Default 10 s. */
  readonly bodyTimeoutMs?: number;
}

/** What Lateen asks of a Consul: GET, with limits on all that a bad answer could do. */
export interface ConsulClient extends Disposable, CatalogClient {
  readonly address: string;
}

/** Opens no connection before the first request; disposing closes those that are idle. */
export function consulClient(settings: ConsulSettings): ConsulClient {
  const connections = new ConsulConnections(settings.address, settings.tls ?? {}, settings.tlsLookAgainMs);
  return {
    address: settings.address,
    get: (request, signal) => get(connections, settings, request, signal),
    [Symbol.dispose]: () => connections[Symbol.dispose](),
  };
}

async function get(
  connections: ConsulConnections,
  settings: ConsulSettings,
  request: CatalogRequest,
  signal: AbortSignal,
): Promise<CatalogAnswer> {
  const context = new EventEmitter();
  const cancel = (): boolean => context.emit("cancel");
  const body = new BoundedBody(settings.maxBodyBytes ?? 32 << 20, settings.bodyTimeoutMs ?? 10_000, cancel);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const [headers, consul] = await Promise.all([tokenHeader(settings.tokenFile), connections.consul()]);
    signal.throwIfAborted();
    const query = { ...placeOf(settings), ...request.query };
    // oxlint-disable-next-line no-underscore-dangle -- the name of the package's raw call
    const answered = consul._get({
      path: request.path,
      query,
      headers,
      timeout: request.timeoutMs,
      ctx: context,
      pipe: () => body,
    });
    return readAnswer(await answered, body.text());
  } catch (error) {
    throw failure(settings, request, body, error);
  } finally {
    body.destroy();
    signal.removeEventListener("abort", cancel);
  }
}

function placeOf({ datacenter, namespace, partition }: ConsulSettings): Readonly<Record<string, string>> {
  const all = { dc: datacenter, ns: namespace, partition };
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, text]) => (text === undefined ? [] : [[key, text]])),
  );
}

async function tokenHeader(tokenFile: string | undefined): Promise<Readonly<Record<string, string>>> {
  if (tokenFile === undefined) return {};
  const token = (await readFile(tokenFile, "utf8")).trim();
  if (!/^[\x21-\x7e]{1,4096}$/.test(token)) throw new Error(`${tokenFile} does not hold one token`);
  return { "x-consul-token": token };
}

function readAnswer(response: IncomingMessage, text: string): CatalogAnswer {
  if (response.headers["x-consul-knownleader"] === "false") throw new Error("no cluster leader");
  const header = String(response.headers["x-consul-index"] ?? "");
  const body: unknown = JSON.parse(text);
  return { index: parseIndex(header), body };
}

function failure(
  settings: ConsulSettings,
  request: CatalogRequest,
  body: BoundedBody,
  error: unknown,
): MeshError {
  const status = statusOf(error);
  const said = status === undefined ? "" : body.text().trim().slice(0, 200);
  const why = body.problem ?? (status === undefined ? messageOf(error) : `${status} ${said}`.trimEnd());
  return new MeshError(
    "registry.unavailable",
    `ask consul at ${settings.address} for ${request.path}: ${why}`,
    {
      hint: hintFor(status, settings),
      cause: error,
    },
  );
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}

function hintFor(status: number | undefined, settings: ConsulSettings): string {
  if (status === 401 || status === 403) {
    return settings.tokenFile === undefined
      ? "set consul.tokenFile to a file with a token that may read the agent, nodes and services"
      : `put a token that may read the agent, nodes and services into ${settings.tokenFile}`;
  }
  if (status === 429)
    return "raise limits.http_max_conns_per_client of that Consul: each service takes one connection";
  if (status !== undefined) return `consul itself fails: consul members -http-addr=${settings.address}`;
  const { protocol, pathname } = new URL(settings.address);
  const place = protocol === "unix:" ? `--unix-socket ${pathname} http://localhost` : settings.address;
  return `see whether Consul runs and is reached: curl ${place}/v1/status/leader`;
}
