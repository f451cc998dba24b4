import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";

/** `host:port` of the services that this one calls: through its proxy's listeners. */
export interface Peers {
  readonly details: string;
  readonly reviews: string;
  readonly ratings: string;
}

export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
}

export type Handler = (call: Call) => Promise<void>;

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** What the called service saw of its callers' identities, and the services that it called in turn. */
  readonly peers: readonly string[];
}

/** Headers that an application hands on, so that traces and routing by user work through it. */
const FORWARDED = [
  "x-request-id",
  "traceparent",
  "tracestate",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "end-user",
  "user-agent",
  "cookie",
  "authorization",
];

/** Header that carries the identities seen along a call, so that the demo can prove mutual TLS at both ends. */
const PEERS_HEADER = "x-bookinfo-peers";

const connections = new Agent({ keepAlive: true });

export function forwardedHeaders(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of FORWARDED) {
    const value = request.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  return headers;
}

/** One GET. Rejects on a refused connection, a reset, or after `timeoutMs`. */
export function get(
  peer: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  const [host, port] = peer.split(":");
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      {
        host,
        port,
        path,
        headers,
        agent: connections,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("error", reject);
        response.on("end", () => {
          const peers = response.headers[PEERS_HEADER];
          resolve({
            status: response.statusCode ?? 0,
            body,
            peers: typeof peers === "string" ? peers.split(" | ") : [],
          });
        });
      },
    );
    call.on("error", reject);
    call.end();
  });
}

/** Answers with JSON, and with the identities that were seen: this service's caller first, then those further on. */
export function sendJson(
  call: Call,
  status: number,
  body: unknown,
  furtherPeers: readonly string[] = [],
): void {
  const seen = call.request.headers["x-forwarded-client-cert"];
  const peers = [...(typeof seen === "string" ? [seen] : []), ...furtherPeers];
  call.response.writeHead(status, {
    "content-type": "application/json",
    ...(peers.length > 0 ? { [PEERS_HEADER]: peers.join(" | ") } : {}),
  });
  call.response.end(JSON.stringify(body));
}

export function sendHtml(
  call: Call,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  call.response.writeHead(status, { "content-type": "text/html; charset=utf-8", ...headers });
  call.response.end(body);
}

export function notFound(call: Call): void {
  sendJson(call, 404, { error: `there is no ${call.url.pathname}` });
}
