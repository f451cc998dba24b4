import { connect, createServer, type Server, type Socket } from "node:net";
import { Alarms } from "../../../transport/alarms.ts";
import { SocketWire } from "../../../transport/socket-wire.ts";
import type { ServerSessionObserver } from "../../stream.ts";
import { Http2ClientSession } from "../client-session.ts";
import type { Http2Options } from "../options.ts";
import { Http2ServerSession } from "../server-session.ts";
import { passThrough } from "./pass-through.ts";

const alarms = new Alarms(() => performance.now());

export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const place = server.address();
  if (typeof place !== "object" || place === null) throw new Error("no port");
  return place.port;
}

function wire(socket: Socket): SocketWire {
  socket.on("error", () => {});
  socket.setNoDelay(true);
  return new SocketWire(socket, (cut) => cut.destroy());
}

/** Serves HTTP/2 on loopback. */
export class TestListener implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly sessions: Http2ServerSession[] = [];
  port = 0;

  private constructor(observer: ServerSessionObserver, options: Partial<Http2Options>) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      this.sessions.push(new Http2ServerSession(wire(socket), observer, alarms, options));
    });
  }

  static async start(
    observer: ServerSessionObserver,
    options: Partial<Http2Options> = {},
  ): Promise<TestListener> {
    const listener = new TestListener(observer, options);
    listener.port = await listen(listener.#server);
    return listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** A client session to a port of loopback. */
function dial(port: number, options: Partial<Http2Options> = {}): Http2ClientSession {
  return new Http2ClientSession(
    wire(connect(port, "127.0.0.1")),
    { changed: () => {}, closed: () => {} },
    alarms,
    options,
  );
}

/** A proxy in front of the port: both roles, joined, with as many connections as it takes. */
export async function startProxy(
  upstreamPort: number,
  options: Partial<Http2Options> = {},
): Promise<TestListener> {
  const sessions: Http2ClientSession[] = [];
  return await TestListener.start(
    passThrough(() => {
      const free = sessions.find(({ capacity }) => capacity > 0);
      if (free !== undefined) return free;
      const session = dial(upstreamPort, options);
      sessions.push(session);
      return session;
    }),
    options,
  );
}
