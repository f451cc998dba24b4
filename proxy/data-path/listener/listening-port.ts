import { closeSync } from "node:fs";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { ListeningSockets } from "./listening-sockets.ts";
import { portHolder } from "./port-holder.ts";

/** For each worker. */
const MOST_CONNECTIONS = 10_000;
const BACKLOG = 1024;

interface Place {
  readonly address: string;
  readonly port: number;
}

interface ListeningPortEvents {
  accepted(socket: Socket): void;
  failed(error: Error): void;
}

/**
 * A port whose connections this thread accepts: by a socket of its own, beside those of other threads (SO_REUSEPORT), or
 * by sockets that were listening already.
 */
export class ListeningPort {
  readonly #events: ListeningPortEvents;
  readonly #servers: Server[] = [];
  #inherited: readonly number[];

  private constructor(inherited: readonly number[], events: ListeningPortEvents) {
    this.#inherited = inherited;
    this.#events = events;
  }

  /** Binds the port, unless it is held already. Throws `proxy.bind`, with the holder when it can be seen. */
  static async bind(
    place: Place,
    sockets: ListeningSockets,
    events: ListeningPortEvents,
  ): Promise<ListeningPort> {
    const inherited = sockets.claim(place.address, place.port);
    const port = new ListeningPort(inherited, events);
    if (inherited.length > 0) return port;
    if (!sockets.mayJoin) await assertFree(place);
    const server = port.#createServer();
    await listen(server, { ...hostAndPort(place), reusePort: true }, place);
    return port;
  }

  /** Accepts from sockets that were there before as well: the first who held them did so until now. */
  acceptInherited(): void {
    const inherited = this.#inherited;
    this.#inherited = [];
    for (const fd of inherited) this.#createServer().listen({ fd, backlog: BACKLOG });
  }

  descriptors(): readonly number[] {
    return [...this.#inherited, ...this.#servers.flatMap(descriptorOf)];
  }

  /** Accepts no more; resolves when the connections that came in are over. */
  async close(): Promise<void> {
    for (const fd of this.#inherited) closeSync(fd);
    this.#inherited = [];
    await Promise.all(
      this.#servers.map(async (server) => {
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }),
    );
  }

  #createServer(): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.maxConnections = MOST_CONNECTIONS;
    server.on("connection", (socket) => this.#events.accepted(socket));
    server.on("error", (error) => this.#events.failed(error));
    this.#servers.push(server);
    return server;
  }
}

/** SO_REUSEPORT lets any program of the same user join: somebody else's port would be taken without a word. */
async function assertFree(place: Place): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await listen(server, hostAndPort(place), place);
  await new Promise((resolve) => server.close(resolve));
}

function hostAndPort({ address, port }: Place): ListenOptions {
  return { host: address, port, backlog: BACKLOG };
}

async function listen(server: Server, options: ListenOptions, place: Place): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(bindError(error, place));
    server.once("error", fail);
    server.listen(options, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

function bindError(error: NodeJS.ErrnoException, { address, port }: Place): MeshError {
  const what = `bind ${address}:${port}`;
  if (error.code !== "EADDRINUSE")
    return new MeshError("proxy.bind", `${what}: ${messageOf(error)}`, { cause: error });
  const holder = portHolder(address, port);
  return new MeshError("proxy.bind", `${what}: the port is in use${holder ? ` by ${holder}` : ""}`, {
    hint: "stop the program that holds it, or register the service at another port",
    cause: error,
  });
}

/** Node tells it by no public name; empty when the server is closed. */
function descriptorOf(server: Server): readonly number[] {
  const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd: number } | null };
  return handle === null || handle.fd < 0 ? [] : [handle.fd];
}
