import { closeSync } from "node:fs";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { ListeningSockets } from "./listening-sockets.ts";
import { portHolder } from "./port-holder.ts";
import { isServed, listenAtPath, removePath } from "./unix-socket.ts";

/** For each worker. */
export const MOST_CONNECTIONS = 10_000;
const BACKLOG = 1024;

interface Place {
  /** IP address, or path of a unix socket. */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
}

interface ListeningPortEvents {
  accepted(socket: Socket): void;
  failed(error: Error): void;
}

/**
 * A port whose connections this thread accepts: by a socket of its own, beside those of other threads (SO_REUSEPORT), or
 * by sockets that were listening already. At the path of a unix socket there is one socket only, of one of the threads.
 */
export class ListeningPort {
  readonly #place: Place;
  readonly #events: ListeningPortEvents;
  readonly #servers: Server[] = [];
  #inherited: readonly number[];

  private constructor(place: Place, inherited: readonly number[], events: ListeningPortEvents) {
    this.#place = place;
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
    const port = new ListeningPort(place, inherited, events);
    if (inherited.length > 0) return port;
    if (isPath(place)) {
      const isAnothers = sockets.mayJoin && (await isServed(place.address));
      if (!isAnothers) await listen(port.#createServer(), place);
      return port;
    }
    if (!sockets.mayJoin) await assertFree(place);
    await listen(port.#createServer(), place, { reusePort: true });
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

  /** Accepts no more; resolves when the connections that came in are over. `leave`: somebody else has the sockets. */
  async close(idle: "close" | "leave"): Promise<void> {
    const hasSocket = this.descriptors().length > 0;
    for (const fd of this.#inherited) closeSync(fd);
    this.#inherited = [];
    const closed = this.#servers.map(async (server) => {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    if (hasSocket && idle === "close" && isPath(this.#place)) closed.push(removePath(this.#place.address));
    await Promise.all(closed);
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
  await listen(server, place);
  await new Promise((resolve) => server.close(resolve));
}

function isPath({ port }: Place): boolean {
  return port === 0;
}

async function listen(server: Server, place: Place, options: ListenOptions = {}): Promise<void> {
  try {
    if (isPath(place)) await listenAtPath(server, place.address);
    else await listenAtPort(server, place, options);
  } catch (cause) {
    throw bindError(place, cause);
  }
}

async function listenAtPort(server: Server, { address, port }: Place, options: ListenOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...options, host: address, port, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function bindError(place: Place, cause: unknown): MeshError {
  const { address, port } = place;
  const what = `bind ${isPath(place) ? address : `${address}:${port}`}`;
  const isInUse = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
  if (!isInUse) return new MeshError("proxy.bind", `${what}: ${messageOf(cause)}`, { cause });
  const holder = isPath(place) ? undefined : portHolder(address, port);
  const it = isPath(place) ? "the socket" : "the port";
  return new MeshError("proxy.bind", `${what}: ${it} is in use${holder ? ` by ${holder}` : ""}`, {
    hint: "stop the program that holds it, or register the service at another port",
    cause,
  });
}

/** Node tells it by no public name; empty when the server is closed. */
function descriptorOf(server: Server): readonly number[] {
  const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd: number } | null };
  return handle === null || handle.fd < 0 ? [] : [handle.fd];
}
