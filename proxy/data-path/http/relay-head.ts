import { applyEdits, type CompiledEdits } from "../../tables/header-edits.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import type { Exchange } from "./exchange.ts";
import { parseGrpcStatus } from "./grpc-reply.ts";

/** The headers of an upstream's answer as the caller gets them; `headers` are changed. */
export function answerHeaders(
  exchange: Exchange,
  headers: HeaderList,
  edits: readonly CompiledEdits[],
): HeaderList {
  exchange.record.grpcStatus = parseGrpcStatus(headers.get("grpc-status"));
  headers.delete("x-envoy-peer-metadata");
  headers.delete("x-envoy-peer-metadata-id");
  headers.set("x-envoy-upstream-service-time", String(Math.round(exchange.record.upstreamMs ?? 0)));
  const { serverName } = exchange.manager.model;
  if (serverName !== undefined) headers.set("server", serverName);
  exchange.record.responseHeaders = headers;
  applyEdits(headers, edits, exchange);
  if (exchange.additions) applyEdits(headers, [exchange.additions], exchange);
  return headers;
}
