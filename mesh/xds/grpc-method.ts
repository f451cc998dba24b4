import type { MethodDefinition } from "@grpc/grpc-js";

/** The part of a generated message type that a gRPC method needs. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

interface Shape {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

export function grpcMethod<Q, S>(
  shape: Shape,
  request: Codec<Q>,
  response: Codec<S>,
): MethodDefinition<Q, S> {
  return {
    ...shape,
    requestSerialize: (message) => asBuffer(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => asBuffer(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

/** grpc-js insists on a Buffer; this is a view, not a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
