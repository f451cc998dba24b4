import type * as z from "zod";
import { MeshError } from "../../mesh/errors.ts";
import type { Caller, Need } from "./access/caller.ts";
import type { AdminDeps } from "./ports.ts";

const LONGEST_NAME = 512;

/** A request as the handlers see it: nothing of it is parsed yet. */
export interface AdminCall {
  /** Its role permits the call; where the route is about namespaces, the handler asks whether it holds there. */
  readonly caller: Caller;
  readonly params: unknown;
  readonly query: unknown;
  /** The body's text; empty when there is none. */
  readonly body: string;
  /** Aborted when the caller is gone or the server closes. */
  readonly signal: AbortSignal;
}

/** Every route says what its caller must be permitted: there is no public one. */
export interface AdminRoute extends Need {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Fastify's path syntax. */
  readonly path: string;
  /** Returns what goes out as JSON with status 200, or throws a MeshError. */
  handle(call: AdminCall, deps: AdminDeps): unknown;
  /** What a call is about where its body says so, for the audit log: of a call that is refused too. Never a secret. */
  readonly about?: (body: unknown) => Readonly<Record<string, unknown>>;
  /** What the audit log is to know of a call that changed something. Never a secret. */
  readonly audited?: (result: never) => Readonly<Record<string, unknown>>;
}

/** Parses one part of a request; all that is wrong is told at once. */
export function parsePart<T>(part: "query" | "path" | "body", schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  throw new MeshError("admin.request", `the request's ${part} is not valid: ${issues.join("; ")}`);
}

export function parseJsonBody<T>(schema: z.ZodType<T>, body: string): T {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new MeshError("admin.request", "the request's body is not JSON");
  }
  return parsePart("body", schema, value);
}

/** Fields of a body that may be anything, as far as they are short texts or say yes or no. */
export function namedIn(body: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof body !== "object" || body === null) return {};
  const fields = new Map<string, unknown>(Object.entries(body));
  return Object.fromEntries(
    names.flatMap((name): [string, unknown][] => {
      const value = fields.get(name);
      if (typeof value === "string") return [[name, value.slice(0, LONGEST_NAME)]];
      return typeof value === "boolean" ? [[name, value]] : [];
    }),
  );
}

export function notFound(what: string, hint: string): MeshError {
  return new MeshError("admin.not-found", `${what} does not exist`, { hint });
}
