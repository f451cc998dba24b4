import { Agent } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../test/harness/eventually.ts";
import { GrpcCaller } from "../../test/harness/grpc-echo.ts";
import { callOnce, echoed, echoOnce, openWebSocket } from "../../test/harness/steady-traffic.ts";
import type { SoakGround } from "./ground.ts";

export type Protocol = "HTTP/1.1" | "HTTP/2" | "gRPC" | "TCP" | "WebSocket";

interface Failure {
  readonly protocol: Protocol;
  readonly told: string;
  /** Milliseconds of `performance.now`. */
  readonly begun: number;
  readonly ended: number;
}

const EVERY_MS = 5;
const TIMEOUT_MS = 10_000;
/** One turn in so many. */
const TURNS: Readonly<Record<Protocol, number>> = {
  "HTTP/1.1": 1,
  "HTTP/2": 2,
  gRPC: 2,
  TCP: 4,
  WebSocket: 10,
};

/** An even rate of exchanges of all kinds; whatever is not answered as it should be is a failure. */
export class MixedTraffic {
  readonly done: Record<Protocol, number> = { "HTTP/1.1": 0, "HTTP/2": 0, gRPC: 0, TCP: 0, WebSocket: 0 };
  readonly failures: Failure[] = [];
  /** Requests that a goodbye crossed: they are known not to have been looked at (RFC 9113 §8.7), and were asked again. */
  askedAgain = 0;
  readonly #ground: SoakGround;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  readonly #grpc: GrpcCaller;
  readonly #stop = new AbortController();
  #http2: ClientHttp2Session | undefined;
  #webSocket: Socket | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(ground: SoakGround) {
    this.#ground = ground;
    this.#grpc = new GrpcCaller(`127.0.0.1:${ground.grpcPort}`);
  }

  /** Begins when an exchange of each kind has come to its end. */
  async start(): Promise<void> {
    for (const protocol of Object.keys(TURNS) as Protocol[]) {
      const works = async (): Promise<boolean> =>
        await this.#exchange(protocol, 0).then(
          () => true,
          () => false,
        );
      await eventually(`${protocol} goes through`, works, 20_000);
    }
    this.#running = this.#run();
  }

  /** Ends it and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#webSocket?.destroy();
    this.#http2?.destroy();
    this.#agent.destroy();
    this.#grpc[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      for (const [protocol, every] of Object.entries(TURNS) as [Protocol, number][]) {
        if (turn % every !== 0) continue;
        const exchange = this.#count(protocol, turn).finally(() => underWay.delete(exchange));
        underWay.add(exchange);
      }
      await delay(EVERY_MS);
    }
    await Promise.all(underWay);
  }

  async #count(protocol: Protocol, turn: number): Promise<void> {
    const begun = performance.now();
    try {
      await this.#exchange(protocol, turn);
      this.done[protocol]++;
    } catch (error) {
      this.failures.push({ protocol, told: String(error), begun, ended: performance.now() });
    }
  }

  async #exchange(protocol: Protocol, turn: number): Promise<void> {
    const { pair } = this.#ground;
    switch (protocol) {
      case "HTTP/1.1":
        return await callOnce(pair.httpPort, this.#agent);
      case "HTTP/2":
        return await this.#callHttp2().catch(async (error: unknown) => {
          if (!String(error).includes("NGHTTP2_REFUSED_STREAM")) throw error;
          this.askedAgain++;
          this.#http2 = undefined;
          await this.#callHttp2();
        });
      case "gRPC": {
        const { value } = await this.#grpc.unary(`${turn}`, TIMEOUT_MS);
        if (value !== `${turn}`) throw new Error(`another answer: ${value}`);
        return undefined;
      }
      case "TCP":
        return await echoOnce(pair.tcpPort, `line ${turn}\n`);
      case "WebSocket":
        return await this.#message(`<${turn}>`);
      default:
        return protocol satisfies never;
    }
  }

  /** On one connection, as long as it takes requests. */
  async #callHttp2(): Promise<void> {
    if (this.#http2 === undefined || this.#http2.closed || this.#http2.destroyed) {
      this.#http2 = connectHttp2(`http://127.0.0.1:${this.#ground.pair.httpPort}`);
      this.#http2.on("error", () => {});
    }
    const stream = this.#http2.request({ ":path": "/" });
    await new Promise<void>((resolve, reject) => {
      let status: unknown;
      stream.setTimeout(TIMEOUT_MS, () => stream.destroy(new Error("no answer")));
      stream.once("response", (headers) => (status = headers[":status"]));
      stream.once("error", reject).once("close", () => reject(new Error("closed")));
      stream.once("end", () =>
        status === 200 ? resolve() : reject(new Error(`status ${JSON.stringify(status)}`)),
      );
      stream.resume();
    });
  }

  /** On one connection; another when it is gone. */
  async #message(text: string): Promise<void> {
    if (this.#webSocket === undefined || this.#webSocket.destroyed) {
      this.#webSocket = await openWebSocket(this.#ground.pair.httpPort);
      this.#webSocket.on("error", () => {});
    }
    await echoed(this.#webSocket, text);
  }
}
