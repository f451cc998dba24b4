import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { MeshError } from "../../mesh/errors.ts";

/** A connection that says nothing is nobody's. */
const FIRST_BYTES_TIMEOUT_MS = 10_000;

/** Connections that may be open at once. */
export interface ConnectionLimits {
  readonly most: number;
  /** From one address, once half of all places are taken: until then a network behind one address may have them. */
  readonly mostOfAddress: number;
}

/** An agent has one. Some hundred MB, if all are strangers. */
const LIMITS: ConnectionLimits = { most: 25_000, mostOfAddress: 1_250 };

/** Where agents connect. */
export interface ListenAt {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
}

/**
 * Accepts connections, and hands each on once its first bytes are there to be read. TLS starts with what a socket has
 * read, and goes on with buffers of the size that this took; on a socket that has read nothing it takes 64 KiB, all of a
 * connection's life. So an agent that waits costs the server a quarter of it.
 */
export class AgentListener {
  /** The port that is bound. */
  readonly port: number;
  readonly #server: Server;
  /** With what is to be done when nothing more may come. */
  readonly #silent: ReadonlySet<Socket>;
  readonly #sockets: ReadonlySet<Socket>;

  /** Rejects with `config.invalid` when the address cannot be had. */
  static async open(
    { address, port }: ListenAt,
    take: (socket: Socket) => void,
    { most, mostOfAddress }: ConnectionLimits = LIMITS,
  ): Promise<AgentListener> {
    const silent = new Set<Socket>();
    const sockets = new Set<Socket>();
    const ofAddress = new Map<string, number>();
    const server = createServer((socket) => {
      const { remoteAddress = "" } = socket;
      const others = ofAddress.get(remoteAddress) ?? 0;
      socket.on("error", destroy);
      if (sockets.size >= most || (sockets.size >= most / 2 && others >= mostOfAddress)) {
        socket.destroy();
        return;
      }
      sockets.add(socket);
      silent.add(socket);
      ofAddress.set(remoteAddress, others + 1);
      socket.on("close", () => {
        sockets.delete(socket);
        silent.delete(socket);
        const left = (ofAddress.get(remoteAddress) ?? 1) - 1;
        if (left > 0) ofAddress.set(remoteAddress, left);
        else ofAddress.delete(remoteAddress);
      });
      socket.setTimeout(FIRST_BYTES_TIMEOUT_MS, destroy);
      socket.once("readable", () => {
        silent.delete(socket);
        socket.setTimeout(0, destroy);
        if (socket.readableLength > 0) take(socket);
        else socket.destroy();
      });
    });
    const bound = Promise.withResolvers<void>();
    server.once("error", bound.reject);
    server.listen(port, address, bound.resolve);
    try {
      await bound.promise;
    } catch (cause) {
      const hint = "is another server running there? set agents.address and agents.port";
      const target = `${address.includes(":") ? `[${address}]` : address}:${port}`;
      throw new MeshError("config.invalid", `listen for agents on ${target}`, { cause, hint });
    }
    return new AgentListener(server, silent, sockets);
  }

  private constructor(server: Server, silent: ReadonlySet<Socket>, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.#silent = silent;
    this.#sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Takes no more connections; resolves when those that there are have ended. */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#silent) socket.destroy();
    return promise;
  }

  /** Ends all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function destroy(this: Socket): void {
  this.destroy();
}
