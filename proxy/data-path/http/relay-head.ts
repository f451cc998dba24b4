import type { HeaderEdits } from "../../model/route.ts";
import { applyEdits } from "../../tables/header-edits.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import type { Exchange } from "./exchange.ts";

/** The headers of an upstream's answer as the caller gets them; `headers` are changed. */
export function answerHeaders(
  exchange: Exchange,
  headers: HeaderList,
  edits: readonly HeaderEdits[],
): HeaderList {
  exchange.record.grpcStatus = headers.get("grpc-status") ?? "";
  headers.delete("x-envoy-peer-metadata");
  headers.delete("x-envoy-peer-metadata-id");
  headers.set("x-envoy-upstream-service-time", String(Math.round(exchange.record.upstreamMs ?? 0)));
  const { serverName } = exchange.manager.model;
  if (serverName !== undefined) headers.set("server", serverName);
  applyEdits(headers, edits);
  if (exchange.additions) applyEdits(headers, [exchange.additions]);
  return headers;
}
