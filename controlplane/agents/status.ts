import { status } from "@grpc/grpc-js";
import { type ErrorCode, MeshError } from "../../mesh/errors.ts";

export interface CallStatus {
  readonly code: status;
  readonly details: string;
}

/** What callers may be told. A code that is not here is nobody's business: they hear "internal". */
const STATUS: Partial<Readonly<Record<ErrorCode, status>>> = {
  "attest.refused": status.PERMISSION_DENIED,
  "attest.throttled": status.RESOURCE_EXHAUSTED,
  "attest.unauthenticated": status.UNAUTHENTICATED,
  "ca.refused": status.INVALID_ARGUMENT,
  "ca.unavailable": status.UNAVAILABLE,
  "identity.invalid": status.INVALID_ARGUMENT,
  "object.conflict": status.ABORTED,
  "object.invalid": status.INVALID_ARGUMENT,
  "object.not-found": status.NOT_FOUND,
  "registry.unavailable": status.UNAVAILABLE,
  "xds.refused": status.PERMISSION_DENIED,
};

const INTERNAL: CallStatus = { code: status.INTERNAL, details: "internal" };

/** The one place where an error becomes a gRPC status. */
export function toStatus(error: unknown): CallStatus {
  if (!(error instanceof MeshError)) return INTERNAL;
  const code = STATUS[error.code];
  if (code === undefined) return INTERNAL;
  return { code, details: error.hint === undefined ? error.message : `${error.message} (${error.hint})` };
}
