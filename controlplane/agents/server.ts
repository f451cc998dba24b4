import {
  Server,
  type ServerCredentials,
  type ServerOptions,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { AgentListener, type ListenAt } from "./agent-listener.ts";
import { writeInPieces } from "./short-writes.ts";

/** A service and what answers it. */
export interface AgentFacingService {
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
}

export interface ServeAgentsOptions extends ListenAt {
  readonly credentials: ServerCredentials;
  readonly services: readonly AgentFacingService[];
  /** Aborted: no new connections, calls may finish, then what is left is cut off. */
  readonly signal: AbortSignal;
  /** How long calls may take to finish. */
  readonly drainMs: number;
}

export interface ServingAgents {
  /** The port that is bound. */
  readonly port: number;
  /** Resolves when the signal was aborted and everything is closed. Never rejects. */
  readonly stopped: Promise<void>;
}

const MAX_MESSAGE_BYTES = 4 << 20;
/** An agent has a stream for each of its workloads, which are at most 1000, and a few of its own. */
const MAX_STREAMS = 1100;

const OPTIONS: ServerOptions = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": -1,
  "grpc.max_concurrent_streams": MAX_STREAMS,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  // Agents always have a stream; a stranger who has joined, or does not, has no business here for longer.
  "grpc.max_connection_idle_ms": 300_000,
  "grpc.enable_channelz": 0,
};

/** Binds and serves; resolves once bound. Throws `config.invalid` when the address cannot be had. */
export async function serveAgents(options: ServeAgentsOptions): Promise<ServingAgents> {
  const server = new Server(OPTIONS);
  for (const { definition, handlers } of options.services) server.addService(definition, handlers);
  const injector = server.createConnectionInjector(options.credentials);
  const listener = await AgentListener.open(options, (socket) => injector.injectConnection(socket));
  writeInPieces(listener.port, options.signal);
  return { port: listener.port, stopped: stopWith(server, listener, options) };
}

async function stopWith(
  server: Server,
  listener: AgentListener,
  { signal, drainMs }: ServeAgentsOptions,
): Promise<void> {
  await aborted(signal);
  const drained = Promise.withResolvers<void>();
  const force = setTimeout(() => listener.cut(), drainMs);
  server.tryShutdown(() => drained.resolve());
  await Promise.all([drained.promise, listener.close()]);
  clearTimeout(force);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
