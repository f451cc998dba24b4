import type { RequestListener, Server } from "node:http";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { AuditEvent } from "../audit/audit-record.ts";
import { assertPermitted, type Caller } from "./access/caller.ts";
import type { Door } from "./door.ts";
import type { AdminDeps } from "./ports.ts";
import { toProblem } from "./problem.ts";
import type { AdminRoute } from "./route.ts";
import { ADMIN_ROUTES } from "./routes.ts";

const LARGEST_BODY_BYTES = 1024 * 1024;

export interface ApiOptions {
  readonly deps: AdminDeps;
  readonly door: Door;
  readonly audit: AuditLog;
  readonly logger: Logger;
  /** Aborted when what waits is to end. */
  readonly closing: AbortSignal;
  /** Makes the server that is to listen. */
  readonly createServer?: (handler: RequestListener) => Server;
}

/** One listener's worth of the API, not listening yet: also what the tests inject requests into. */
export function buildApi(options: ApiOptions): FastifyInstance {
  const { door, logger, createServer } = options;
  const callers = new WeakMap<FastifyRequest, Caller>();
  const server = fastify({
    bodyLimit: LARGEST_BODY_BYTES,
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const problem = toProblem(error);
      void reply.code(problem.status).send(problem.body);
    },
    ...(createServer === undefined
      ? {}
      : { serverFactory: (handler: RequestListener) => createServer(handler) }),
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
  server.addHook("onRequest", async (request) => {
    callers.set(request, await door.admit(request.raw));
  });
  server.setErrorHandler((error, request, reply) => refuse(error, request, reply, logger));
  server.setNotFoundHandler(async (request) => {
    throw new MeshError("admin.not-found", `${request.method} ${pathOf(request)} does not exist`, {
      hint: "the API is under /v1",
    });
  });
  const callerOf = (request: FastifyRequest): Caller => {
    const caller = callers.get(request);
    if (caller === undefined) throw new MeshError("admin.unauthorized", "nobody was admitted");
    return caller;
  };
  for (const route of ADMIN_ROUTES) register(server, route, callerOf, options);
  return server;
}

function register(
  server: FastifyInstance,
  route: AdminRoute,
  callerOf: (request: FastifyRequest) => Caller,
  { deps, audit, closing }: ApiOptions,
): void {
  server.route({
    method: route.method,
    url: route.path,
    // Who may not call is told so before the body is read, unless the body tells what they wanted to change.
    [route.about === undefined ? "onRequest" : "preHandler"]: async (request: FastifyRequest) => {
      const caller = callerOf(request);
      try {
        assertPermitted(caller, route);
      } catch (error) {
        audit.note({ ...eventOf(route, request, caller), outcome: "refused" });
        throw error;
      }
    },
    handler: async (request, reply) => {
      const { params, query, body } = request;
      const caller = callerOf(request);
      const signal = AbortSignal.any([closing, goneSignal(reply)]);
      const text = typeof body === "string" ? body : "";
      const handle = async (): Promise<unknown> =>
        await route.handle({ caller, params, query, body: text, signal }, deps);
      if (route.verb === "read") return await handle();
      return await audited(handle, route, eventOf(route, request, caller), audit);
    },
  });
}

/** Nothing is changed that is not written down first; how it ended is written down afterwards, if at all possible. */
async function audited(
  handle: () => Promise<unknown>,
  route: AdminRoute,
  event: Omit<AuditEvent, "outcome">,
  audit: AuditLog,
): Promise<unknown> {
  await audit.record({ ...event, outcome: "attempted" });
  try {
    const result = await handle();
    const more = route.audited?.(result as never) ?? {};
    audit.note({ ...event, outcome: "done", details: { ...event.details, ...more } });
    return result;
  } catch (error) {
    const { status, body } = toProblem(error);
    const outcome = status >= 500 ? "failed" : "refused";
    audit.note({ ...event, outcome, details: { ...event.details, code: body.code } });
    throw error;
  }
}

/** What a call is about, from its path and the parts of its query and its body that name things. */
function eventOf(
  { method, path, about }: AdminRoute,
  request: FastifyRequest,
  { credential, name }: Caller,
): Omit<AuditEvent, "outcome"> {
  const { id, namespace, dryRun, kind, value } = request.query as Readonly<Record<string, unknown>>;
  const params = request.params as Readonly<Record<string, unknown>>;
  return {
    action: `${method} ${path}`,
    actor: `${credential}:${name}`,
    ...(credential === "socket" ? {} : { from: request.ip }),
    details: { ...params, id, namespace, dryRun, kind, value, ...about?.(jsonOf(request.body)) },
  };
}

function jsonOf(body: unknown): unknown {
  try {
    return typeof body === "string" ? JSON.parse(body) : undefined;
  } catch {
    return undefined;
  }
}

function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  return gone.signal;
}

async function refuse(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: Logger,
): Promise<void> {
  const { status, body } = toProblem(error);
  const fields = { method: request.method, path: pathOf(request), status, code: body.code };
  if (status >= 500) logger.error("admin call failed", { ...fields, error: messageOf(error) });
  else if (status === 401 || status === 403)
    logger.warn("admin call refused", { ...fields, from: request.ip });
  await reply.code(status).send(body);
}

/** Without its query: enough to know what was called, and nothing that could be a secret. */
function pathOf(request: FastifyRequest): string {
  return request.url.split("?", 1)[0] ?? "";
}
