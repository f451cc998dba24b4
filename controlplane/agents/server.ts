import {
  Server,
  type ServerCredentials,
  type ServerOptions,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { MeshError } from "../../mesh/errors.ts";

/** A service and what answers it. */
export interface AgentFacingService {
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
}

export interface ServeAgentsOptions {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
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
  "grpc.enable_channelz": 0,
};

/** Binds and serves; resolves once bound. Throws `config.invalid` when the address cannot be had. */
export async function serveAgents(options: ServeAgentsOptions): Promise<ServingAgents> {
  const server = new Server(OPTIONS);
  for (const { definition, handlers } of options.services) server.addService(definition, handlers);
  const port = await bind(server, options);
  return { port, stopped: stopWith(server, options.signal, options.drainMs) };
}

function bind(server: Server, { address, port, credentials }: ServeAgentsOptions): Promise<number> {
  const target = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(target, credentials, (cause, bound) => {
      if (cause === null) resolve(bound);
      else {
        const hint = "is another server running there? set agents.address and agents.port";
        reject(new MeshError("config.invalid", `listen for agents on ${target}`, { cause, hint }));
      }
    });
  });
}

async function stopWith(server: Server, signal: AbortSignal, drainMs: number): Promise<void> {
  await aborted(signal);
  const drained = Promise.withResolvers<void>();
  const force = setTimeout(() => server.forceShutdown(), drainMs);
  server.tryShutdown(() => drained.resolve());
  await drained.promise;
  clearTimeout(force);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
