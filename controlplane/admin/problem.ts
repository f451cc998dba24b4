import type { Problem } from "../../mesh/admin-api/replies.ts";
import { type ErrorCode, MeshError } from "../../mesh/errors.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";

/** Objects that were refused, with all that is wrong with them. */
export class InvalidObjects extends MeshError {
  readonly violations: readonly LocatedViolation[];

  constructor(violations: readonly LocatedViolation[]) {
    const errors = violations.filter(({ severity }) => severity === "error").length;
    const warnings = violations.filter(({ severity }) => severity === "warning").length;
    const counts = [counted(errors, "error"), counted(warnings, "warning")].filter((one) => one !== "");
    super("object.invalid", `${counts.join(" and ")}, nothing was stored`, {
      hint: "correct what the violations name and apply again",
    });
    this.violations = violations;
  }
}

function counted(number: number, noun: string): string {
  return number === 0 ? "" : number === 1 ? `1 ${noun}` : `${number} ${noun}s`;
}

export interface ProblemResponse {
  readonly status: number;
  readonly body: Problem;
}

/** Codes that may cross the border, with their HTTP status. All others are told as `internal` only. */
const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  "admin.forbidden": 403,
  "admin.not-found": 404,
  "admin.refused": 403,
  "admin.request": 400,
  "admin.throttled": 429,
  "admin.too-large": 413,
  "admin.unauthorized": 401,
  "admin.unavailable": 503,
  "audit.unavailable": 503,
  "ca.rotation": 409,
  "ca.unavailable": 503,
  "config.invalid": 422,
  "identity.invalid": 422,
  "mesh.too-large": 422,
  "object.conflict": 409,
  "object.invalid": 422,
  "object.not-found": 404,
  "registry.unavailable": 503,
  "store.failed": 503,
};

/** The one place where an error becomes an answer. What is not known to be harmless to tell is "internal". */
export function toProblem(error: unknown): ProblemResponse {
  const known = error instanceof MeshError ? error : (fromSqlite(error) ?? fromFastify(error));
  const status = known === undefined ? undefined : STATUS[known.code];
  if (known === undefined || status === undefined) {
    const body: Problem = {
      code: "internal",
      message: "internal error",
      hint: "the server's log has the reason",
    };
    return { status: 500, body };
  }
  const body: Problem = { code: known.code, message: known.message, hint: known.hint ?? "" };
  return {
    status,
    body: known instanceof InvalidObjects ? { ...body, violations: known.violations } : body,
  };
}

function fromSqlite(error: unknown): MeshError | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_SQLITE_ERROR") return undefined;
  return new MeshError("store.failed", `use the server's database: ${error.message}`, {
    hint: "check that the state directory is writable and its disk not full",
  });
}

/** Fastify refuses some requests itself, with a status below 500: too large, cut off, a path that does not decode. */
function fromFastify(error: unknown): MeshError | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  if (error.statusCode === 413) {
    return new MeshError("admin.too-large", "the body is larger than 1 MiB", {
      hint: "apply the files in several steps",
    });
  }
  if (typeof error.statusCode !== "number" || error.statusCode >= 500) return undefined;
  return new MeshError("admin.request", "the request is not well-formed HTTP for this API");
}
