import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HeaderEdit, HeaderEdits } from "../../model/route.ts";
import type { RequestFacts } from "../../tables/facts.ts";
import { applyEdits } from "../../tables/header-edits.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { RequestMetadata } from "../../tables/metadata.ts";
import { type HttpRecord, newUpstreamEnd, type ResponseFlag } from "../../telemetry/records.ts";
import type { Connection, DataPathDeps } from "../connection.ts";
import { setClientCert } from "./client-cert-header.ts";
import type { CompiledManager } from "./compiled-manager.ts";
import { grpcMessage, grpcStatusOf, isGrpc } from "./grpc-reply.ts";
import { removeHopByHop } from "./hop-by-hop.ts";
import { screenRequest } from "./screen.ts";

/** One request with everything that is known of it, and the only way to answer it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  readonly manager: CompiledManager;
  readonly deps: DataPathDeps;
  readonly record: HttpRecord;
  /** Aborted when the caller has gone away. */
  readonly gone: AbortSignal;
  /** The protocol that the caller wants to change to, where the listener allows it. */
  readonly upgrade: { readonly protocol: string; readonly head: Buffer } | undefined;
  /** True while the listener is being drained: the answer closes the connection. */
  readonly closing: boolean;
  /** What filters put into whatever answers; undefined: nothing. */
  additions: HeaderEdits | undefined;
}

export interface LocalReply {
  readonly status: number;
  /** Instead of the one that the status stands for, where the caller speaks gRPC. */
  readonly grpcStatus?: number;
  readonly body?: string | Uint8Array;
  readonly headers?: HeaderList;
  readonly flag?: ResponseFlag;
  /** Envoy's response code details. */
  readonly details: string;
  /** Closes the connection: what follows on it cannot be trusted to be a request. */
  readonly close?: boolean;
}

/** A request that may be routed: screened, normalised, and its headers as a next hop may see them. */
export interface AcceptedRequest {
  readonly facts: RequestFacts;
  readonly headers: HeaderList;
}

export function newRecord(request: IncomingMessage, connection: Connection, deps: DataPathDeps): HttpRecord {
  return {
    ends: connection.ends,
    startedAt: deps.clock.now(),
    startedMonotonic: deps.clock.monotonic(),
    method: request.method ?? "",
    path: request.url ?? "",
    upstream: newUpstreamEnd(),
    flags: new Set(),
    route: "",
    authority: "",
    requestId: "",
    userAgent: "",
    forwardedFor: "",
    issuer: "",
    status: 0,
    details: "",
    grpcStatus: "",
    bytesReceived: 0,
    bytesSent: 0,
    upstreamMs: undefined,
  };
}

/** Answers from here, without an upstream. */
export function replyLocally(exchange: Exchange, wanted: LocalReply): void {
  const { response, record, request } = exchange;
  if (response.headersSent || response.destroyed) return;
  const reply = isGrpc(request.headers["content-type"]) && !wanted.close ? asGrpc(wanted) : wanted;
  if (reply.flag) record.flags.add(reply.flag);
  record.details = reply.details;
  record.status = reply.status;
  const body = typeof reply.body === "string" ? Buffer.from(reply.body) : (reply.body ?? Buffer.alloc(0));
  const headers = reply.headers ?? new HeaderList();
  if (exchange.additions) applyEdits(headers, [exchange.additions]);
  record.grpcStatus = headers.get("grpc-status") ?? "";
  headers.set("content-length", String(body.length));
  if (body.length > 0 && !headers.has("content-type")) headers.append("content-type", "text/plain");
  if (!headers.has("server")) headers.append("server", "lateen");
  // An unread body would be taken for the next request, or holds the connection: it is closed instead.
  if (reply.close || exchange.closing || !request.complete) headers.set("connection", "close");
  record.bytesSent += body.length;
  response.writeHead(reply.status, headers.toRaw());
  response.end(body);
}

/** Sees to it that whatever answers has these headers. */
export function addToAnswer(exchange: Exchange, headers: readonly HeaderEdit[]): void {
  if (headers.length === 0) return;
  exchange.additions = { remove: [], add: [...(exchange.additions?.add ?? []), ...headers] };
}

/** What a gRPC client understands: the status is a header, and the text too. */
function asGrpc(reply: LocalReply): LocalReply {
  const { body = "", status, grpcStatus = grpcStatusOf(status) } = reply;
  const headers = reply.headers ?? new HeaderList();
  headers.set("content-type", "application/grpc");
  headers.set("grpc-status", String(grpcStatus));
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  if (text !== "") headers.set("grpc-message", grpcMessage(text));
  return { ...reply, status: 200, body: "", headers };
}

/** Screens a request; undefined when it has been answered with a refusal. */
export function acceptRequest(exchange: Exchange): AcceptedRequest | undefined {
  const { request, record, manager, connection } = exchange;
  const headers = HeaderList.fromRaw(request.rawHeaders);
  describe(record, headers);
  const { normalizePath: normalize, mergeSlashes, unescapeSlashes } = manager.model;
  const screened = screenRequest(
    { method: record.method, target: record.path, httpVersion: request.httpVersion, headers },
    { normalize, mergeSlashes, unescapeSlashes },
  );
  if (!screened.ok) {
    const details = `http1.${screened.detail.replaceAll(" ", "_")}`;
    replyLocally(exchange, { status: screened.status, flag: "DPE", details, close: true });
    return undefined;
  }
  clean(headers, exchange);
  const scheme = headers.get("x-forwarded-proto") ?? (connection.ends.secure ? "https" : "http");
  headers.set("x-forwarded-proto", scheme);
  return {
    headers,
    facts: {
      method: record.method,
      path: screened.path,
      query: screened.query,
      authority: screened.authority,
      scheme,
      metadata: new RequestMetadata(),
      header: (name) => headers.get(name),
      headerValues: (name) => headers.values(name),
    },
  };
}

function describe(record: HttpRecord, headers: HeaderList): void {
  record.authority = headers.get("host") ?? "";
  record.userAgent = headers.get("user-agent") ?? "";
  record.forwardedFor = headers.get("x-forwarded-for") ?? "";
}

/** Takes out what belongs to this connection or must not be believed, and puts in what we know better. */
function clean(headers: HeaderList, { manager, connection, record }: Exchange): void {
  removeHopByHop(headers);
  headers.keep(
    (name) => name !== "expect" && !name.startsWith("x-lateen-") && !name.startsWith("x-envoy-peer-metadata"),
  );
  setClientCert(headers, manager.model, connection.peer, connection.ends.ownId);
  if (manager.model.generateRequestId && !headers.has("x-request-id")) {
    headers.append("x-request-id", randomUUID());
  }
  record.requestId = headers.get("x-request-id") ?? "";
}
