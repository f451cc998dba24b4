import { createServer } from "node:http";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { ExportLogsServiceRequest } from "../../mesh/xds/gen/opentelemetry/proto/collector/logs/v1/logs_service.ts";
import { ExportTraceServiceRequest } from "../../mesh/xds/gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import type { KeyValue } from "../../mesh/xds/gen/opentelemetry/proto/common/v1/common.ts";
import { listenTcp } from "./tcp-pair.ts";

/** A span as both receivers tell it. */
interface ReceivedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string;
  readonly name: string;
  readonly kind: string;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly tags: Readonly<Record<string, string>>;
}

interface ReceivedLog {
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
}

/** Takes OTLP over gRPC, and Zipkin's JSON. */
export class TelemetryReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly logs: ReceivedLog[] = [];
  readonly #grpc = new Server();
  readonly #http = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const isIt = incoming.method === "POST" && incoming.url === "/api/v2/spans";
      if (isIt) this.#takeZipkin(JSON.parse(Buffer.concat(chunks).toString()) as ZipkinSpan[]);
      response.writeHead(isIt ? 202 : 404).end();
    });
  });
  /** How long it takes over an answer of gRPC. */
  answerAfterMs = 0;
  otlpPort = 0;
  zipkinPort = 0;

  static async start(): Promise<TelemetryReceiver> {
    const receiver = new TelemetryReceiver();
    receiver.zipkinPort = await listenTcp(receiver.#http);
    receiver.#grpc.addService(
      {
        traces: method("/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        logs: method("/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
      },
      {
        traces: (call: Call, answer: sendUnaryData<Buffer>) => {
          receiver.#takeSpans(ExportTraceServiceRequest.decode(call.request));
          receiver.#answer(answer);
        },
        logs: (call: Call, answer: sendUnaryData<Buffer>) => {
          receiver.#takeLogs(ExportLogsServiceRequest.decode(call.request));
          receiver.#answer(answer);
        },
      },
    );
    receiver.otlpPort = await new Promise<number>((resolve, reject) =>
      receiver.#grpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    return receiver;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#grpc.forceShutdown();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #answer(answer: sendUnaryData<Buffer>): void {
    setTimeout(() => answer(null, Buffer.alloc(0)), this.answerAfterMs);
  }

  #takeZipkin(spans: readonly ZipkinSpan[]): void {
    for (const { traceId, id, parentId = "", name, kind, timestamp, localEndpoint, tags } of spans) {
      const service = localEndpoint.serviceName;
      this.spans.push({ service, traceId, id, parentId, name, kind, startMs: timestamp / 1000, tags });
    }
  }

  #takeSpans({ resourceSpans }: ExportTraceServiceRequest): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = texts(resource?.attributes ?? [])["service.name"] ?? "";
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          service,
          traceId: hex(span.traceId),
          id: hex(span.spanId),
          parentId: hex(span.parentSpanId),
          name: span.name,
          kind: span.kind === 2 ? "SERVER" : span.kind === 3 ? "CLIENT" : String(span.kind),
          startMs: Number(span.startTimeUnixNano) / 1e6,
          tags: texts(span.attributes),
        });
      }
    }
  }

  #takeLogs({ resourceLogs }: ExportLogsServiceRequest): void {
    for (const { resource, scopeLogs } of resourceLogs) {
      for (const { body, attributes } of scopeLogs.flatMap(({ logRecords }) => logRecords)) {
        this.logs.push({
          body: body?.stringValue ?? "",
          attributes: texts(attributes),
          resource: texts(resource?.attributes ?? []),
        });
      }
    }
  }
}

type Call = ServerUnaryCall<Buffer, Buffer>;

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly name: string;
  readonly kind: string;
  /** Microseconds. */
  readonly timestamp: number;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
}

const same = (bytes: Buffer): Buffer => bytes;

function method(path: string): {
  readonly path: string;
  readonly requestStream: false;
  readonly responseStream: false;
  readonly requestSerialize: typeof same;
  readonly requestDeserialize: typeof same;
  readonly responseSerialize: typeof same;
  readonly responseDeserialize: typeof same;
} {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function texts(list: readonly KeyValue[]): Record<string, string> {
  return Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      value?.stringValue ?? String(value?.intValue ?? value?.boolValue ?? ""),
    ]),
  );
}
