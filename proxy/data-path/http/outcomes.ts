import type { RequestHead, ResponseHead } from "../../codec/stream.ts";
import type { AttemptFailure } from "./attempt.ts";
import { httpStatusOf, isGrpc } from "./grpc-reply.ts";

/** A call over gRPC that is refused at once has its status in the head; one in trailers is too late to count (Envoy). */
export function outcomeOfAnswer(request: RequestHead, { status, headers }: ResponseHead): number {
  const grpcStatus = headers.get("grpc-status");
  return grpcStatus !== undefined && isGrpc(request.headers.get("content-type"))
    ? httpStatusOf(grpcStatus)
    : status;
}

/** Undefined when there was no answer; what is full says nothing about the host. */
export function outcomeOf({ cause }: AttemptFailure): number | "unconnected" | undefined {
  if (cause === "connect") return "unconnected";
  return cause === "overflow" ? 200 : undefined;
}
