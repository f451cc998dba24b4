import type { ClientRequest, IncomingMessage } from "node:http";
import type { HeaderEdits } from "../../model/route.ts";
import { applyEdits } from "../../tables/header-edits.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Exchange } from "./exchange.ts";
import { removeHopByHop } from "./hop-by-hop.ts";
import type { RequestBody } from "./request-body.ts";

export interface UpstreamResponse {
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
  readonly edits: readonly HeaderEdits[];
  readonly deadlines: Deadlines;
  readonly body: RequestBody | undefined;
}

/**
 * Passes a response on as it comes. Resolves when it is over: complete, broken off by the upstream (the caller's
 * connection then breaks too: it must not take half an answer for a whole one), or by the caller.
 */
export async function relayResponse(exchange: Exchange, upstream: UpstreamResponse): Promise<void> {
  const { response: reply, record } = exchange;
  const { response, request, body, deadlines } = upstream;
  if (reply.destroyed) {
    request.destroy();
    return;
  }
  record.details = "via_upstream";
  record.status = response.statusCode ?? 0;
  reply.writeHead(record.status, responseHeaders(exchange, upstream).toRaw());
  reply.flushHeaders();
  response.on("data", (chunk: Buffer) => {
    record.bytesSent += chunk.length;
    deadlines.touch();
  });
  await new Promise<void>((resolve) => {
    const broken = (): void => {
      if (!reply.destroyed) {
        record.flags.add(deadlines.expired === "route" ? "UT" : deadlines.expired === "idle" ? "SI" : "UC");
        record.details = "upstream_reset_after_response_started";
      }
      reply.destroy();
      request.destroy();
    };
    deadlines.signal.addEventListener("abort", broken, { once: true });
    response.on("error", broken);
    response.on("end", () => (body?.complete === false ? body.discard() : undefined));
    response.on("close", () => (response.complete ? undefined : broken()));
    reply.on("close", () => {
      deadlines.signal.removeEventListener("abort", broken);
      if (!reply.writableFinished) request.destroy();
      else if (body) body.detach(request);
      resolve();
    });
    response.pipe(reply);
  });
}

function responseHeaders(exchange: Exchange, { response, edits }: UpstreamResponse): HeaderList {
  const headers = HeaderList.fromRaw(response.rawHeaders);
  exchange.record.grpcStatus = headers.get("grpc-status") ?? "";
  removeHopByHop(headers);
  headers.delete("x-envoy-peer-metadata");
  headers.delete("x-envoy-peer-metadata-id");
  headers.set("x-envoy-upstream-service-time", String(Math.round(exchange.record.upstreamMs ?? 0)));
  applyEdits(headers, edits);
  if (exchange.additions) applyEdits(headers, [exchange.additions]);
  if (exchange.closing) headers.set("connection", "close");
  return headers;
}
