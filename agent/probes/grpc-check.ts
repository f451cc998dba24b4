import { Client, credentials, Metadata, type MethodDefinition } from "@grpc/grpc-js";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "../../mesh/xds/gen/grpc/health/v1/health.ts";
import { grpcMethod } from "../../mesh/xds/grpc-method.ts";
import type { CheckPlace } from "./check-place.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

/** gRPC's own health service (github.com/grpc/grpc, doc/health-checking.md). */
export const healthCheck: MethodDefinition<HealthCheckRequest, HealthCheckResponse> = grpcMethod(
  { path: "/grpc.health.v1.Health/Check", requestStream: false, responseStream: false },
  HealthCheckRequest,
  HealthCheckResponse,
);

const OPTIONS = {
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_retries": 0,
  "grpc.max_receive_message_length": 4096,
};

/** One call in plaintext over a connection of its own: only SERVING is ready. */
export async function grpcCheck(
  service: string,
  { address, port }: CheckPlace,
  signal: AbortSignal,
): Promise<Outcome> {
  const host = address.includes(":") ? `[${address}]` : address;
  const client = new Client(`${host}:${port}`, credentials.createInsecure(), OPTIONS);
  try {
    return await outcomeOf((settle) => {
      const { path, requestSerialize, responseDeserialize } = healthCheck;
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { service },
        new Metadata(),
        {},
        (error, response) => settle(error?.details ?? statusProblem(response?.status)),
      );
      signal.addEventListener("abort", () => call.cancel(), { once: true });
    });
  } finally {
    client.close();
  }
}

function statusProblem(status: HealthCheckResponse_ServingStatus | undefined): string {
  if (status === HealthCheckResponse_ServingStatus.SERVING) return "";
  const known = Object.entries(HealthCheckResponse_ServingStatus).find(([, value]) => value === status);
  return `it says ${known?.[0] ?? "nothing that is known"}`;
}
