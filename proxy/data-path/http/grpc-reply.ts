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
const INVALID = -1;

export function isGrpc(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:\+|$)/i.test(contentType);
}

export function grpcStatusOf(httpStatus: number): number {
  return GRPC_OF_HTTP.get(httpStatus) ?? UNKNOWN;
}

/** The status of a call as its server has written it. Undefined: it has written none; -1: what is no status (Envoy). */
export function parseGrpcStatus(written: string | undefined): number | undefined {
  if (written === undefined || written === "") return undefined;
  return /^\d{1,9}$/.test(written) ? Number(written) : INVALID;
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

/** By gRPC's codes; everything else is 500. */
const HTTP_OF_GRPC: ReadonlyMap<string, number> = new Map([
  ["0", 200],
  ["1", 499],
  ["3", 400],
  ["4", 504],
  ["5", 404],
  ["6", 409],
  ["7", 403],
  ["8", 429],
  ["9", 400],
  ["10", 409],
  ["11", 400],
  ["12", 501],
  ["14", 503],
  ["16", 401],
]);

/** What a call over gRPC that ended with this status counts as, where HTTP's statuses are counted (Envoy). */
export function httpStatusOf(grpcStatus: string): number {
  return HTTP_OF_GRPC.get(grpcStatus) ?? 500;
}
