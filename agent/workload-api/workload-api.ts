import { chmod } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { workloadApi } from "../../mesh/agent-api/services.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { secretDiscoveryService } from "../../mesh/xds/ads-service.ts";
import type { JwtSvids } from "../identity/jwt-svids.ts";
import type { TrustBundleWatch } from "../identity/trust-bundle.ts";
import { verifyJwtSvid } from "../identity/verify-jwt-svid.ts";
import type { WorkloadSvids } from "../identity/workload-svids.ts";
import { prepareSocketPath } from "../relay/socket-path.ts";
import { untilAborted } from "../state/or-aborted.ts";
import type { Caller, IdentifyCaller } from "./caller.ts";
import { callerIdentities, callerSvids } from "./caller-svids.ts";
import type { CallerView } from "./caller-view.ts";
import type { CallerRule } from "./choose-identities.ts";
import { jwtHandlers } from "./jwt-handlers.ts";
import { secretHandlers, workloadApiHandlers } from "./workload-handlers.ts";

export interface WorkloadApiOptions {
  readonly socketPath: string;
  /** Whether everybody on the host may connect: who may have what is then decided by the rules alone. */
  readonly open: boolean;
  readonly rules: readonly CallerRule[];
  readonly identify: IdentifyCaller;
  readonly svids: Pick<WorkloadSvids, "ids" | "status" | "current" | "changes">;
  readonly bundle: Pick<TrustBundleWatch, "current" | "changes">;
  readonly tokens: Pick<JwtSvids, "token">;
  readonly clock: Clock;
  readonly logger: Logger;
}

const MOST_CONNECTIONS = 256;
const SERVER_OPTIONS = { "grpc.max_receive_message_length": 64 * 1024, "grpc.max_concurrent_streams": 64 };

/**
 * The SPIFFE Workload API and SDS for applications on this host, on a unix socket, until the signal is aborted. Each
 * connection has a server of its own whose handlers know its caller and nobody else's certificates. Throws when the
 * socket cannot be had (`agent.state`, `config.invalid`).
 */
export async function runWorkloadApi(options: WorkloadApiOptions, signal: AbortSignal): Promise<void> {
  const { socketPath, logger, identify } = options;
  const open = new Map<Socket, () => void>();
  const listener = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      open.get(socket)?.();
      open.delete(socket);
    });
    if (open.size < MOST_CONNECTIONS) void serve(socket);
    else socket.destroy();
  });
  async function serve(socket: Socket): Promise<void> {
    open.set(socket, () => undefined);
    try {
      const view = viewFor(await identify(socket), options);
      if (!socket.destroyed) open.set(socket, serveConnection(socket, view));
    } catch (error) {
      logger.error("could not serve a caller of the Workload API", { error: messageOf(error) });
      socket.destroy();
    }
  }
  await prepareSocketPath(socketPath, options.open ? "shared" : "private");
  await listen(listener, socketPath);
  try {
    await chmod(socketPath, options.open ? 0o666 : 0o600);
    await untilAborted(signal);
  } finally {
    listener.close();
    for (const socket of open.keys()) socket.destroy();
  }
}

function viewFor(caller: Caller | undefined, options: WorkloadApiOptions): CallerView {
  const { svids, bundle, rules, tokens, clock } = options;
  return {
    svids: () => callerSvids(caller, rules, svids, clock.now()),
    identities: () => callerIdentities(caller, rules, svids, clock.now()),
    bundle: () => bundle.current,
    token: (spiffeId, audiences) => tokens.token(spiffeId, audiences),
    validate: (token, audience) => verifyJwtSvid(token, audience, bundle.current, clock.now()),
    onChange: (listener) => {
      const stops = [svids.changes.subscribe(listener), bundle.changes.subscribe(listener)];
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

/** Answers on one connection; the answer ends that. */
function serveConnection(socket: Socket, view: CallerView): () => void {
  const server = new Server(SERVER_OPTIONS);
  server.addService({ ...workloadApi }, { ...workloadApiHandlers(view), ...jwtHandlers(view) });
  server.addService({ ...secretDiscoveryService }, { ...secretHandlers(view) });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  injector.injectConnection(socket);
  socket.resume();
  return () => {
    injector.destroy();
    server.forceShutdown();
  };
}

async function listen(listener: ReturnType<typeof createServer>, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  listener.once("error", (cause) =>
    reject(new MeshError("agent.state", `listen on ${path}: ${cause.message}`, { cause })),
  );
  listener.listen(path, resolve);
  await promise;
}
