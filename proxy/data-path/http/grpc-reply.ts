/** gRPC's "HTTP to gRPC status code mapping"; everything else is UNKNOWN. */
const GRPC_OF_HTTP: ReadonlyMap<number, number> = new Map([
  [200, 0],
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);
const UNKNOWN = 2;

export function isGrpc(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:\+|$)/i.test(contentType);
}

export function grpcStatusOf(httpStatus: number): number {
  return GRPC_OF_HTTP.get(httpStatus) ?? UNKNOWN;
}

/** The value of `grpc-message` (gRPC over HTTP/2, "Responses"): percent-encoded. */
export function grpcMessage(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}
