import { readFile } from "node:fs/promises";
import { Agent, type Dispatcher, request } from "undici";
import {
  type CatalogAnswer,
  type CatalogClient,
  type CatalogRequest,
  parseIndex,
} from "../blocking/blocking-client.ts";
import { MeshError } from "../errors.ts";
import { jsonLines } from "./json-lines.ts";
import { type NomadAllocation, parseAllocation } from "./nomad-allocation.ts";
import { NomadStatus, nomadFailure } from "./nomad-error.ts";
import type { NomadSettings } from "./nomad-settings.ts";

/** What Lateen asks of a Nomad. Each call throws `registry.unavailable` for whatever is not an answer, and when aborted. */
export interface NomadClient extends AsyncDisposable, CatalogClient {
  readonly address: string;
  /** Undefined when there is none with this id. */
  allocation(id: string, signal: AbortSignal): Promise<NomadAllocation | undefined>;
  /** The JWK set that workload identities are signed with, not looked into yet. */
  signingKeys(signal: AbortSignal): Promise<unknown>;
  /**
   * What `/v1/event/stream` says, line by line, not looked into yet; Nomad writes one at least every 30 s. Throws when the
   * stream ends or is silent for longer than `silenceMs`; returns when it is aborted.
   */
  events(query: EventQuery, signal: AbortSignal): AsyncGenerator<unknown, void>;
}

interface EventQuery {
  /** `Service`, or with a key: `Service:web`. */
  readonly topic: string;
  readonly namespace: string;
  /** The first event that is wanted; undefined: the oldest that Nomad still has. */
  readonly index: number | undefined;
  readonly silenceMs: number;
}

const TIMEOUT_MS = 5_000;
const LARGEST_ANSWER_BYTES = 32 << 20;
const LONGEST_LINE_BYTES = 8 << 20;
const ALLOCATION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Opens no connection before the first request. Redirects are not followed. */
export async function nomadClient(settings: NomadSettings): Promise<NomadClient> {
  const { address, region } = settings;
  const connect = await connectOptions(settings);
  const answers = new Agent({ maxResponseSize: LARGEST_ANSWER_BYTES, connect });
  const streams = new Agent({ connect });
  const base = address.startsWith("unix://") ? "http://localhost" : address;
  const urlOf = (path: string, query: Readonly<Record<string, string>> = {}): URL => {
    const url = new URL(path, base);
    const all = { ...(region === undefined ? {} : { region }), ...query };
    for (const [key, value] of Object.entries(all)) url.searchParams.set(key, value);
    return url;
  };
  const ask = async (
    path: string,
    { query, timeoutMs }: Omit<CatalogRequest, "path">,
    signal: AbortSignal,
  ): Promise<CatalogAnswer | undefined> => {
    try {
      const response = await request(urlOf(path, query), {
        dispatcher: answers,
        headers: await tokenHeader(settings),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      const text = await response.body.text();
      if (response.statusCode === 404) return undefined;
      return readAnswer(response, text);
    } catch (cause) {
      throw nomadFailure(settings, path, cause);
    }
  };
  const found = async (path: string, signal: AbortSignal): Promise<unknown> =>
    (await ask(path, { timeoutMs: TIMEOUT_MS }, signal))?.body;
  return {
    address,
    async get({ path, ...how }, signal) {
      const answer = await ask(`/v1${path}`, how, signal);
      if (answer !== undefined) return answer;
      throw nomadFailure(settings, `/v1${path}`, new NomadStatus(404, "not found"));
    },
    async allocation(id, signal) {
      if (!ALLOCATION_ID.test(id)) return undefined;
      const answer = await found(`/v1/allocation/${id}`, signal);
      if (answer === undefined) return undefined;
      const allocation = parseAllocation(answer);
      if (typeof allocation !== "string") return allocation;
      throw new MeshError(
        "registry.unavailable",
        `read what Nomad at ${address} says of the allocation ${id}: ${allocation}`,
      );
    },
    signingKeys: (signal) => found("/.well-known/jwks.json", signal),
    async *events({ topic, namespace, index, silenceMs }, signal) {
      const query = { topic, namespace, ...(index === undefined ? {} : { index: String(index) }) };
      const path = "/v1/event/stream";
      try {
        const response = await request(urlOf(path, query), {
          dispatcher: streams,
          headers: await tokenHeader(settings),
          headersTimeout: silenceMs,
          bodyTimeout: silenceMs,
          signal,
        });
        if (response.statusCode !== 200) throw await statusOf(response);
        yield* jsonLines(response.body, LONGEST_LINE_BYTES);
        throw new Error("the stream ended");
      } catch (cause) {
        if (!signal.aborted) throw nomadFailure(settings, path, cause);
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([answers.destroy(), streams.destroy()]);
    },
  };
}

interface ConnectOptions {
  readonly timeout: number;
  readonly socketPath?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

async function connectOptions(settings: NomadSettings): Promise<ConnectOptions> {
  const { address, caFile, certFile, keyFile, serverName } = settings;
  const unix = /^unix:\/\/(\/.+)$/.exec(address)?.[1];
  return {
    timeout: TIMEOUT_MS,
    ...(unix === undefined ? {} : { socketPath: unix }),
    ...(caFile === undefined ? {} : { ca: await readFile(caFile, "utf8") }),
    ...(certFile === undefined ? {} : { cert: await readFile(certFile, "utf8") }),
    ...(keyFile === undefined ? {} : { key: await readFile(keyFile, "utf8") }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

/** Read before each request, so that a rotated token needs no restart. */
async function tokenHeader({ tokenFile }: NomadSettings): Promise<Readonly<Record<string, string>>> {
  if (tokenFile === undefined) return {};
  const token = (await readFile(tokenFile, "utf8")).trim();
  if (!/^[\x21-\x7e]{1,16384}$/.test(token)) throw new Error(`${tokenFile} does not hold one token`);
  return { "x-nomad-token": token };
}

function readAnswer({ statusCode, headers }: Dispatcher.ResponseData, text: string): CatalogAnswer {
  if (statusCode !== 200) throw new NomadStatus(statusCode, text.trim().slice(0, 200));
  if (headers["x-nomad-knownleader"] === "false") throw new Error("no cluster leader");
  return { index: parseIndex(String(headers["x-nomad-index"] ?? "")), body: JSON.parse(text) };
}

async function statusOf({ statusCode, body }: Dispatcher.ResponseData): Promise<NomadStatus> {
  let said = "";
  for await (const chunk of body) {
    said += String(chunk);
    if (said.length > 200) break;
  }
  return new NomadStatus(statusCode, said.trim().slice(0, 200));
}
