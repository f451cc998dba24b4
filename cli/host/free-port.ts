import { createServer } from "node:net";
import { MeshError } from "../../mesh/errors.ts";

/** Where calls to upstreams whose author names no port are taken, on loopback. */
const UPSTREAM_PORTS = { first: 15_100, last: 15_199 } as const;

/** A port of loopback for an upstream: none of `taken`, and nobody listens there now. Throws `cli.usage` when all are. */
export async function freeUpstreamPort(loopback: string, taken: ReadonlySet<number>): Promise<number> {
  for (let port: number = UPSTREAM_PORTS.first; port <= UPSTREAM_PORTS.last; port++) {
    if (!taken.has(port) && (await isFree(loopback, port))) return port;
  }
  throw new MeshError("cli.usage", "find a port for the upstream: 15100 to 15199 are all taken", {
    hint: "name one: --upstream api@9191",
  });
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once("error", () => resolve(false));
  server.listen({ host, port, exclusive: true }, () => resolve(true));
  const free = await promise;
  if (free) await new Promise<void>((closed) => server.close(() => closed()));
  return free;
}
