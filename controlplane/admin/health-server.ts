import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import { MeshError, messageOf } from "../../mesh/errors.ts";

export interface HealthDeps {
  /** Why the server is not ready; empty when it is. */
  readonly unready: () => readonly string[];
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
}

export interface HealthServer extends AsyncDisposable {
  readonly address: AddressInfo;
}

/** Liveness, readiness and metrics: port 15014 (DESIGN §4). Tells nothing secret and changes nothing. */
export async function startHealthServer(
  deps: HealthDeps,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<HealthServer> {
  const server = fastify({
    bodyLimit: 1024,
    requestTimeout: 10_000,
    exposeHeadRoutes: true,
    forceCloseConnections: true,
  });
  server.get("/healthz", async (_request, reply) => reply.type("text/plain").send("ok\n"));
  server.get("/readyz", async (_request, reply) => {
    const reasons = deps.unready();
    const text = reasons.length === 0 ? "ok\n" : reasons.map((reason) => `not ready: ${reason}\n`).join("");
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .type("text/plain")
      .send(text);
  });
  server.get("/metrics", async (_request, reply) =>
    reply.type("text/plain; version=0.0.4; charset=utf-8").send(await deps.metrics()),
  );
  try {
    await server.listen({ host, port });
  } catch (error) {
    throw new MeshError("config.invalid", `cannot serve health and metrics: ${messageOf(error)}`, {
      hint: `see what holds the port: ss -ltnp | grep ${port}`,
      cause: error,
    });
  }
  return {
    address: server.server.address() as AddressInfo,
    [Symbol.asyncDispose]: () => server.close(),
  };
}
