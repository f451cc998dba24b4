import { chmod } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import type { AskedCaptures } from "../../mesh/admin-api/asked-capture.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { SocketAddress } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { PolicyDecisions } from "../calls/policy-decisions.ts";
import { prepareSocketPath, protectSocket } from "../relay/socket-path.ts";
import { untilAborted } from "../state/or-aborted.ts";
import { agentMetrics } from "./agent-metrics.ts";
import { isReadyStatus } from "./agent-status.ts";

export interface StatusServerOptions {
  /** `<run>/agent.sock`. */
  readonly socketPath: string;
  /** Another one, which everybody may ask who reaches it. */
  readonly open?: string | undefined;
  /** Beside the socket; port 0: none. */
  readonly address: SocketAddress;
  readonly status: () => AgentStatus;
  /** Looks at the host now. */
  readonly check: () => Promise<AgentStatus["problems"]>;
  /** What rules of this host are asked to capture. */
  readonly captures: () => AskedCaptures;
  readonly decisions: Pick<PolicyDecisions, "counter">;
  readonly logger: Logger;
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/**
 * Serves `/healthz`, `/readyz`, `/status`, `/check`, `/capture` and `/metrics` until the signal is aborted; all of it is
 * read only. Throws when the unix socket cannot be had (another agent runs); a taken TCP port is told about and no more.
 */
export async function runStatusServer(options: StatusServerOptions, signal: AbortSignal): Promise<void> {
  const { socketPath, open, address, logger } = options;
  const handle = handler(options);
  await prepareSocketPath(socketPath);
  const servers = [await listen(createServer(handle), { path: socketPath })];
  try {
    await protectSocket(socketPath);
    if (open !== undefined) {
      await prepareSocketPath(open, "shared");
      servers.push(await listen(createServer(handle), { path: open }));
      await chmod(open, 0o666);
    }
    if (address.port !== 0) {
      const place = { host: address.address, port: address.port };
      await listen(createServer(handle), place).then(
        (server) => servers.push(server),
        (error: unknown) =>
          logger.error("status and metrics are on the unix socket alone", { error: messageOf(error) }),
      );
    }
    await untilAborted(signal);
  } finally {
    await Promise.all(servers.map(close));
  }
}

function handler(options: StatusServerOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const metrics = agentMetrics(options.status, options.decisions.counter);
  const answer = async (request: IncomingMessage): Promise<Reply> => {
    const { method = "", url = "" } = request;
    if (method !== "GET" && method !== "HEAD") return text(405, "only GET is answered here\n");
    const status = options.status();
    switch (url.split("?", 1)[0]) {
      case "/healthz":
        return text(200, "ok\n");
      case "/readyz":
      case "/healthz/ready":
        return isReadyStatus(status) ? text(200, "ready\n") : text(503, "not every workload is served\n");
      case "/status":
        return { status: 200, type: "application/json", body: `${JSON.stringify(status)}\n` };
      case "/check":
        return { status: 200, type: "application/json", body: `${JSON.stringify(await options.check())}\n` };
      case "/capture":
        return { status: 200, type: "application/json", body: `${JSON.stringify(options.captures())}\n` };
      case "/metrics":
        return { status: 200, type: metrics.contentType, body: await metrics.metrics() };
      default:
        return text(404, "try /healthz, /readyz, /status, /check, /capture or /metrics\n");
    }
  };
  return (request, response) => {
    answer(request)
      .catch((error: unknown) => {
        options.logger.error("a status request failed", { error: messageOf(error) });
        return text(500, "internal\n");
      })
      .then(({ status, type, body }) => response.writeHead(status, { "content-type": type }).end(body))
      .catch(() => response.destroy());
  };
}

function text(status: number, body: string): Reply {
  return { status, type: "text/plain; charset=utf-8", body };
}

async function listen(
  server: Server,
  place: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<Server> {
  const where = "path" in place ? place.path : `${place.host}:${place.port}`;
  return await new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new MeshError("agent.state", `listen on ${where}: ${messageOf(cause)}`, { cause })),
    );
    server.listen(place, () => resolve(server));
  });
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
