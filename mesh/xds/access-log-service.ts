import type { Client, ClientWritableStream, MethodDefinition } from "@grpc/grpc-js";
import { StreamAccessLogsMessage, StreamAccessLogsResponse } from "./gen/envoy/service/accesslog/v3/als.ts";
import { grpcMethod } from "./grpc-method.ts";

/** Envoy's access log service (ALS): a stream of what has passed, which is never answered. */
export const accessLogService: {
  readonly streamAccessLogs: MethodDefinition<StreamAccessLogsMessage, StreamAccessLogsResponse>;
} = {
  streamAccessLogs: grpcMethod(
    {
      path: "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
      requestStream: true,
      responseStream: false,
    },
    StreamAccessLogsMessage,
    StreamAccessLogsResponse,
  ),
};

/** Names the log of inbound calls, which proxies send to their agent. */
export const CALL_LOG = "lateen-calls";

/** Opens a stream; `ended` is called once, with an error when it broke. Cancel it to be done with it. */
export function openAccessLogStream(
  client: Client,
  ended: (error: Error | null) => void,
): ClientWritableStream<StreamAccessLogsMessage> {
  const { path, requestSerialize, responseDeserialize } = accessLogService.streamAccessLogs;
  return client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, ended);
}
