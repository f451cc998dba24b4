import type { Tracing } from "../../model/tracing.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import type { HttpRecord } from "../records.ts";
import { extract, inject, randomId } from "./propagation.ts";
import { sample } from "./sampling.ts";
import type { EndedSpan } from "./span.ts";

/** The tracing of a listener. */
export interface CompiledTracing {
  /** Decides about a request, gives it its span and tells the upstream by its headers. */
  begin(record: HttpRecord, headers: HeaderList): void;
  /** The request is over. */
  end(record: HttpRecord, durationMs: number): void;
  /** These settings are gone. Requests that began with them are traced to their end. */
  readonly release: () => void;
}

/** Where the spans of requests that were sampled go. */
export interface SpanReceiver {
  receive(span: EndedSpan): void;
  readonly release: () => void;
}

export function compileTracing(
  tracing: Tracing,
  random: () => number,
  receiver: SpanReceiver,
): CompiledTracing {
  const b3 = tracing.tracer.kind === "zipkin";
  return {
    begin(record, headers) {
      const { parent, sampled: asked } = extract(headers);
      let sampled = asked;
      if (sampled === undefined) {
        const { requestId } = record;
        const decided = sample({ requestId, header: (name) => headers.first(name) }, tracing, random);
        sampled = decided.sampled;
        if (decided.requestId !== requestId) {
          record.requestId = decided.requestId;
          headers.set("x-request-id", decided.requestId);
        }
      }
      const parentId = parent?.spanId;
      const context = {
        traceId: parent?.traceId ?? randomId(16),
        spanId: randomId(8),
        sampled,
        state: parent?.state ?? "",
      };
      record.span = { context, parentId };
      inject(headers, context, { parentId, b3 });
    },
    end(record, durationMs) {
      const { span } = record;
      if (span === undefined || !span.context.sampled) return;
      const inbound = record.ends.direction === "inbound";
      receiver.receive({
        ...span,
        name: inbound ? "ingress" : `egress ${record.authority}`,
        kind: inbound ? "server" : "client",
        startMs: record.startedAt,
        durationMs,
        failed: record.status >= 500 || record.status === 0,
        attributes: attributesOf(record, tracing),
      });
    },
    release: () => receiver.release(),
  };
}

/** OpenTelemetry's semantic conventions of HTTP, and what meshes add to them. */
function attributesOf(record: HttpRecord, { longestPath, tags }: Tracing): EndedSpan["attributes"] {
  const { ends, upstream } = record;
  const mark = record.path.indexOf("?");
  const path = mark < 0 ? record.path : record.path.slice(0, mark);
  const [host = "", port] = record.authority.split(/:(?=\d{1,5}$)/);
  const attributes: Record<string, string | number> = {
    "http.request.method": record.method,
    "url.path": path.slice(0, longestPath),
    "url.scheme": ends.secure ? "https" : "http",
    "server.address": host,
    "network.protocol.version": record.protocol === "HTTP/2" ? "2" : "1.1",
    "client.address": ends.remoteAddress,
    response_flags: [...record.flags].join(",") || "-",
    "http.request.body.size": record.bytesReceived,
    "http.response.body.size": record.bytesSent,
    guid: record.requestId,
  };
  const set = (name: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== "") attributes[name] = value;
  };
  set("server.port", port && Number(port));
  if (mark >= 0) set("url.query", record.path.slice(mark + 1, mark + 1 + longestPath));
  set("http.response.status_code", record.status || undefined);
  set("rpc.grpc.status_code", record.grpcStatus);
  set("user_agent.original", record.requestHeaders.first("user-agent"));
  set("upstream_cluster", upstream.cluster);
  set("network.peer.address", upstream.host);
  set("peer.spiffe_id", ends.direction === "inbound" ? ends.clientId : upstream.id);
  for (const tag of tags) {
    set(
      tag.name,
      tag.kind === "literal" ? tag.value : (record.requestHeaders.first(tag.header) ?? tag.fallback),
    );
  }
  return attributes;
}
