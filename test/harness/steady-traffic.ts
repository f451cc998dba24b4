import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

interface Kind {
  done: number;
  readonly failures: string[];
}

/** What came of the traffic so far, by kind. */
export interface TrafficTally {
  /** Requests on connections that are kept. */
  readonly http: Kind;
  /** Connections, each for one exchange. */
  readonly tcp: Kind;
  /** Messages on one WebSocket. */
  readonly webSocket: Kind;
}

interface Places {
  readonly httpPort: number;
  readonly tcpPort: number;
}

const EVERY_MS = 5;
const TIMEOUT_MS = 10_000;

/**
 * A bounded, even rate: two hundred HTTP requests a second on a few kept connections, fifty TCP connections a second, and
 * twenty messages a second on a WebSocket. Whatever is not answered as it should be is a failure.
 */
export class SteadyTraffic implements AsyncDisposable {
  readonly tally: TrafficTally = {
    http: { done: 0, failures: [] },
    tcp: { done: 0, failures: [] },
    webSocket: { done: 0, failures: [] },
  };
  readonly #places: Places;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  readonly #stop = new AbortController();
  readonly #webSocket: Socket;
  #running: Promise<void> = Promise.resolve();

  private constructor(places: Places, webSocket: Socket) {
    this.#places = places;
    this.#webSocket = webSocket;
  }

  static async start(places: Places): Promise<SteadyTraffic> {
    const webSocket = await openWebSocket(places.httpPort);
    // Whoever waits for an echo then hears of it.
    webSocket.on("error", () => {});
    const traffic = new SteadyTraffic(places, webSocket);
    traffic.#running = traffic.#run();
    return traffic;
  }

  get failures(): readonly string[] {
    const { http, tcp, webSocket } = this.tally;
    return [...http.failures, ...tcp.failures, ...webSocket.failures];
  }

  /** Ends it and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#webSocket.destroy();
    this.#agent.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    const { http, tcp, webSocket } = this.tally;
    const underWay = new Set<Promise<void>>();
    const count = (kind: Kind, what: string, exchange: Promise<void>): void => {
      const counted: Promise<void> = exchange
        .then(
          () => void kind.done++,
          (error: unknown) => void kind.failures.push(`${what}: ${String(error)}`),
        )
        .finally(() => underWay.delete(counted));
      underWay.add(counted);
    };
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      count(http, "http", callOnce(this.#places.httpPort, this.#agent));
      if (turn % 4 === 0) count(tcp, "tcp", echoOnce(this.#places.tcpPort, `line ${turn}\n`));
      if (turn % 10 === 0) count(webSocket, "websocket", echoed(this.#webSocket, `<${turn}>`));
      await delay(EVERY_MS);
    }
    await Promise.all(underWay);
  }
}

/** A GET that is answered 200. */
export async function callOnce(port: number, agent: Agent): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/", agent, timeout: TIMEOUT_MS };
    const asked = request(options, (response) => {
      response.resume();
      response.once("error", reject);
      response.once("end", () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
      );
    });
    asked.once("timeout", () => asked.destroy(new Error("no answer")));
    asked.once("error", reject);
    asked.end();
  });
}

/** A TCP connection for one exchange. */
export async function echoOnce(port: number, line: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  try {
    await echoed(socket, line);
  } finally {
    socket.destroy();
  }
}

/** Writes a text and waits until it has come back. */
export async function echoed(socket: Socket, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let heard = "";
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.off("data", read).off("error", settle).off("close", closed);
      if (error) reject(error);
      else resolve();
    };
    const read = (chunk: Buffer): void => {
      heard += chunk.toString();
      if (heard.includes(text)) settle();
    };
    const closed = (): void => settle(new Error("closed"));
    const timer = setTimeout(() => settle(new Error("no echo")), TIMEOUT_MS);
    socket.on("data", read).on("error", settle).on("close", closed);
    if (socket.destroyed) closed();
    else socket.write(text);
  });
}

export async function openWebSocket(port: number): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const asked = request({
      host: "127.0.0.1",
      port,
      agent: false,
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    asked.once("upgrade", (_response, socket: Socket) => resolve(socket));
    asked.once("response", ({ statusCode }) => reject(new Error(`no upgrade: status ${statusCode}`)));
    asked.once("error", reject);
    asked.end();
  });
}
