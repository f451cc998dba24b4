import { applyEdits } from "../../tables/header-edits.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { ResponseFlag } from "../../telemetry/response-flags.ts";
import type { Exchange } from "./exchange.ts";
import { grpcMessage, grpcStatusOf, isGrpc, parseGrpcStatus } from "./grpc-reply.ts";

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

/** Answers from here, without an upstream; nothing when there is an answer already. */
export function replyLocally(exchange: Exchange, wanted: LocalReply): void {
  const { stream, record, head } = exchange;
  if (exchange.answered || exchange.over) return;
  const reply = !wanted.close && isGrpc(head.headers.get("content-type")) ? asGrpc(wanted) : wanted;
  if (reply.flag) record.flags.add(reply.flag);
  record.details = reply.details;
  record.status = reply.status;
  const body = bytesOf(reply.body);
  const headers = reply.headers ?? new HeaderList();
  if (exchange.additions) applyEdits(headers, [exchange.additions], exchange);
  record.grpcStatus = parseGrpcStatus(headers.get("grpc-status"));
  if (body.length > 0 && !headers.has("content-type")) headers.append("content-type", "text/plain");
  headers.append("date", new Date(exchange.deps.clock.now()).toUTCString());
  const { serverName } = exchange.manager.model;
  if (serverName !== undefined) headers.set("server", serverName);
  else if (!headers.has("server")) headers.append("server", "lateen");
  if (exchange.closing) stream.closeAfter("draining");
  // An unread body would be taken for the next request, or holds the connection: it is closed instead.
  if (reply.close || !exchange.complete) stream.closeAfter("unread");
  record.bytesSent += body.length;
  exchange.answered = true;
  record.responseHeaders = headers;
  if (body.length === 0) {
    stream.respond({ status: reply.status, headers, body: { kind: "none" } });
    return;
  }
  stream.respond({ status: reply.status, headers, body: { kind: "sized", bytes: body.length } });
  stream.data(body);
  stream.end(undefined);
}

function bytesOf(body: string | Uint8Array = ""): Buffer {
  return typeof body === "string"
    ? Buffer.from(body)
    : Buffer.from(body.buffer, body.byteOffset, body.length);
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
