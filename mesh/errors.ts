/**
 * Every way in which Lateen fails, by name. The code's first part is the component; `docs/errors.md` tells what each
 * means and what to do, and a test keeps the two equal.
 */
export type ErrorCode =
  | "admin.forbidden"
  | "admin.not-found"
  | "admin.refused"
  | "admin.request"
  | "admin.throttled"
  | "admin.too-large"
  | "admin.unauthorized"
  | "admin.unavailable"
  | "agent.capture"
  | "agent.dataplane"
  | "agent.discovery"
  | "agent.join"
  | "agent.port-taken"
  | "agent.probe"
  | "agent.state"
  | "attest.refused"
  | "attest.throttled"
  | "attest.unauthenticated"
  | "audit.broken"
  | "audit.unavailable"
  | "ca.refused"
  | "ca.rotation"
  | "ca.self-check"
  | "ca.unavailable"
  | "cli.host"
  | "cli.unreachable"
  | "cli.usage"
  | "config.exists"
  | "config.invalid"
  | "identity.invalid"
  | "internal"
  | "mesh.too-large"
  | "object.conflict"
  | "object.invalid"
  | "object.not-found"
  | "proxy.bind"
  | "proxy.succession"
  | "proxy.unsupported"
  | "registry.unavailable"
  | "store.failed"
  | "xds.inconsistent"
  | "xds.refused"
  | "xds.rejected";

export interface MeshErrorOptions {
  /** What to do about it: a sentence or a command. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The one error class. The message says what was being attempted, in lower case and without a full stop. */
export class MeshError extends Error {
  override readonly name = "MeshError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  /** Turns anything that was thrown into a MeshError; what is not one already becomes `internal` with its cause. */
  static from(error: unknown, code: ErrorCode = "internal"): MeshError {
    if (error instanceof MeshError) return error;
    return new MeshError(code, messageOf(error), { cause: error });
  }
}

/** The readable part of anything thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
