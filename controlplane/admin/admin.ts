import type { AddressInfo } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { type Access, authenticate, authorize, hashToken, LOOPBACK_HOSTS } from "./access.ts";
import type { AdminDeps } from "./ports.ts";
import { toProblem } from "./problem.ts";
import type { AdminRoute } from "./route.ts";
import { ADMIN_ROUTES } from "./routes.ts";
import { prepareSocketPath, protectSocket } from "./unix-socket.ts";

const LARGEST_BODY_BYTES = 1024 * 1024;
const RECEIVE_TIMEOUT_MS = 30_000;

/** The admin REST: DESIGN §6, "Admin surface". Dispose of it to stop listening and to end what waits. */
export interface Admin extends AsyncDisposable {
  /** For the CLI on the server's own host: no credential beyond the right to open the socket. */
  listenUnix(path: string): Promise<void>;
  /** For the console and a remote CLI: loopback only, and every call needs the admin token. */
  listenTcp(host: string, port: number): Promise<AddressInfo>;
}

export interface AdminOptions {
  /** The admin token: see `loadOrCreateAdminToken`. */
  readonly token: string;
  readonly logger: Logger;
}

export function createAdmin(deps: AdminDeps, { token, logger }: AdminOptions): Admin {
  const closing = new AbortController();
  const servers: FastifyInstance[] = [];
  const open = (access: Access): FastifyInstance => {
    const server = buildAdmin(deps, access, logger, closing.signal);
    servers.push(server);
    return server;
  };
  return {
    async listenUnix(path) {
      await prepareSocketPath(path);
      await listen(open({ kind: "socket" }), { path });
      protectSocket(path);
    },
    async listenTcp(host, port) {
      if (!/^(127\.|::1$)/.test(host)) {
        throw new MeshError("config.invalid", `the admin API would listen on ${host} without TLS`, {
          hint: "use a loopback address; reach it from elsewhere through ssh -L 15015:127.0.0.1:15015",
        });
      }
      const hosts = [...LOOPBACK_HOSTS, host.includes(":") ? `[${host}]` : host];
      const server = open({ kind: "network", tokenHash: hashToken(token), hosts });
      await listen(server, { host, port });
      return server.server.address() as AddressInfo;
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** One listener's worth of the API, not listening yet: also what the tests inject requests into. */
export function buildAdmin(
  deps: AdminDeps,
  access: Access,
  logger: Logger,
  closing: AbortSignal,
): FastifyInstance {
  const server = fastify({
    bodyLimit: LARGEST_BODY_BYTES,
    requestTimeout: RECEIVE_TIMEOUT_MS,
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const problem = toProblem(error);
      void reply.code(problem.status).send(problem.body);
    },
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
  server.addHook("onRequest", async (request) => authenticate(access, request.headers));
  server.setErrorHandler((error, request, reply) => refuse(error, request, reply, logger));
  server.setNotFoundHandler(async (request) => {
    throw new MeshError(
      "admin.not-found",
      `${request.method} ${request.url.split("?", 1)[0]} does not exist`,
      {
        hint: "the API is under /v1",
      },
    );
  });
  for (const route of ADMIN_ROUTES) register(server, route, { deps, access, logger, closing });
  return server;
}

interface Context {
  readonly deps: AdminDeps;
  readonly access: Access;
  readonly logger: Logger;
  readonly closing: AbortSignal;
}

function register(server: FastifyInstance, route: AdminRoute, context: Context): void {
  server.route({
    method: route.method,
    url: route.path,
    onRequest: async () => authorize(context.access, route.needs),
    handler: async (request, reply) => {
      const { params, query, body } = request;
      const signal = AbortSignal.any([context.closing, goneSignal(reply)]);
      const text = typeof body === "string" ? body : "";
      const result = await route.handle({ params, query, body: text, signal }, context.deps);
      if (route.needs !== "read" && route.method !== "GET") {
        context.logger.info("admin call", { ...callFields(request), access: context.access.kind });
      }
      return result;
    },
  });
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
  const fields = { ...callFields(request), status, code: body.code };
  if (status >= 500) logger.error("admin call failed", { ...fields, error: messageOf(error) });
  else if (status === 401 || status === 403)
    logger.warn("admin call refused", { ...fields, from: request.ip });
  await reply.code(status).send(body);
}

/** The path without its query: enough to know what was called, and nothing that could be a secret. */
function callFields(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return { method: request.method, path: request.url.split("?", 1)[0] };
}

async function listen(
  server: FastifyInstance,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  try {
    await server.listen(where);
  } catch (error) {
    const place = "path" in where ? where.path : `${where.host}:${where.port}`;
    throw new MeshError("config.invalid", `cannot listen on ${place}: ${messageOf(error)}`, {
      hint: `see what holds it: ss -ltnxp | grep ${"path" in where ? where.path : where.port}`,
      cause: error,
    });
  }
}
