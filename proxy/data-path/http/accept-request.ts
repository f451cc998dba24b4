import { randomUUID } from "node:crypto";
import type { RequestHead } from "../../codec/stream.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { PEER_METADATA, readPeerMetadata } from "../../telemetry/parties/peer-metadata.ts";
import { countMessages, type HttpRecord, newUpstreamEnd } from "../../telemetry/records.ts";
import type { Connection, DataPathDeps } from "../connection.ts";
import { isHttp2 } from "./called-as.ts";
import { setClientCert } from "./client-cert-header.ts";
import type { Exchange } from "./exchange.ts";
import { isGrpc } from "./grpc-reply.ts";
import { HeadFacts } from "./head-facts.ts";
import { replyLocally } from "./local-reply.ts";
import { normalizePath } from "./path.ts";

/** A request that may be routed: normalised, and its headers as a next hop may see them. */
export interface AcceptedRequest {
  readonly facts: HeadFacts;
  readonly headers: HeaderList;
}

type Described = Pick<RequestHead, "method" | "target" | "authority" | "headers" | "body">;

export function newRecord(
  { method, target: path, authority, headers, body }: Described,
  connection: Connection,
  deps: DataPathDeps,
): HttpRecord {
  return {
    kind: "http",
    ends: connection.ends,
    startedAt: deps.clock.now(),
    startedMonotonic: deps.clock.monotonic(),
    method,
    path,
    upstream: newUpstreamEnd(),
    flags: new Set(),
    target: path,
    calledAuthority: authority,
    route: "",
    authority,
    requestId: "",
    requestHeaders: headers,
    responseHeaders: undefined,
    trailers: undefined,
    metadata: undefined,
    span: undefined,
    messages: undefined,
    issuer: "",
    status: 0,
    details: "",
    grpcStatus: undefined,
    protocol: "HTTP/1.1",
    bytesReceived: 0,
    bytesSent: 0,
    upstreamMs: undefined,
    requestMs: body.kind === "none" ? 0 : undefined,
    responseMs: undefined,
    attempts: 0,
  };
}

/** Codecs have seen to framing and form; undefined when the path's is none, and the request is refused. */
export function acceptRequest(exchange: Exchange): AcceptedRequest | undefined {
  const { head, manager, connection, record } = exchange;
  const { headers, target } = head;
  if (isGrpc(headers.get("content-type"))) record.messages = countMessages();
  if (!connection.ends.introduced) meet(connection, headers);
  const version = isHttp2(head) ? "http2" : "http1";
  if (head.method === "CONNECT") {
    replyLocally(exchange, { status: 405, details: `${version}.method` });
    return undefined;
  }
  // In HTTP/1.1 it may be served without; here nothing would be left of the request (RFC 8441).
  if (version === "http2" && head.upgrade !== undefined && exchange.upgrade === undefined) {
    replyLocally(exchange, { status: 403, details: "upgrade_failed" });
    return undefined;
  }
  const mark = target.indexOf("?");
  const { normalizePath: normalize, mergeSlashes, unescapeSlashes } = manager.model;
  const written = mark < 0 ? target : target.slice(0, mark);
  const path =
    target === "*"
      ? ({ ok: true, path: "*" } as const)
      : normalizePath(written, { normalize, mergeSlashes, unescapeSlashes });
  if (!path.ok) {
    const details = `${version}.${path.reason.replaceAll(" ", "_")}`;
    replyLocally(exchange, { status: 400, flag: "DPE", details, close: true });
    return undefined;
  }
  clean(headers, exchange);
  const scheme =
    headers.get("x-forwarded-proto") ?? head.scheme ?? (connection.ends.secure ? "https" : "http");
  headers.set("x-forwarded-proto", scheme);
  const query = mark < 0 ? "" : target.slice(mark);
  const facts = new HeadFacts(head, headers, { path: path.path, query, scheme });
  record.metadata = facts.metadata;
  return { headers, facts };
}

/** The caller's proxy tells of its workload with the first request of a connection. */
function meet({ ends }: Connection, headers: HeaderList): void {
  ends.introduced = true;
  if (ends.direction !== "inbound" || ends.clientId === undefined) return;
  ends.caller = readPeerMetadata(headers.get(PEER_METADATA), ends.clientId);
}

/** Takes out what must not be believed, and puts in what we know better. */
function clean(headers: HeaderList, { manager, connection, record }: Exchange): void {
  const { tracing } = manager;
  headers.keep(isBelieved);
  manager.edge?.(headers, connection);
  setClientCert(headers, manager.model, connection.peer, connection.shownUri);
  let requestId = headers.get("x-request-id");
  if (requestId === undefined && manager.model.generateRequestId) {
    requestId = randomUUID();
    headers.append("x-request-id", requestId);
  }
  record.requestId = requestId ?? "";
  tracing?.begin(record, headers);
}

function isBelieved(name: string): boolean {
  // Most begin with no x.
  return (
    name.charCodeAt(0) !== 0x78 || !(name.startsWith("x-lateen-") || name.startsWith("x-envoy-peer-metadata"))
  );
}
