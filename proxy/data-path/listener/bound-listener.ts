import type { Socket } from "node:net";
import { messageOf } from "../../../mesh/errors.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import type { FilterChain, Listener } from "../../model/listener.ts";
import { type ConnectionHello, compileChainMatch } from "../../tables/filter-chains.ts";
import { plainAddress } from "../../tables/matchers.ts";
import { compilePortRule } from "../../tables/port-rule.ts";
import { type Destination, originalDestination } from "../../transport/original-destination.ts";
import { inspectConnection } from "./inspect.ts";
import { ListeningPort, MOST_CONNECTIONS } from "./listening-port.ts";
import type { ListeningSocket, ListeningSockets } from "./listening-sockets.ts";
import { type ChainDeps, chainKey, ServingChain } from "./serving-chain.ts";

/** Connections that wait for the listener's first configuration to be complete. */
const MOST_WAITING = 1024;

export interface ListenerDeps extends ChainDeps {
  readonly logger: Logger;
  readonly drainMs: number;
  readonly sockets: ListeningSockets;
  /** The listener of where a captured connection was going, if there is one. */
  readonly listenerAt: (destination: Destination) => BoundListener | undefined;
}

/** A connection with where it was going, if it was captured. */
interface Arrival {
  readonly socket: Socket;
  readonly destination: Destination | undefined;
}

/** What becomes of HTTP/1.1 connections without a request when a listener stops: a request may be on its way. */
export type IdleConnections = "close" | "leave";

type State =
  /** Bound; what comes in waits for the first configuration to be complete. */
  | { readonly kind: "warming"; readonly waiting: Set<Arrival> }
  | { readonly kind: "serving"; readonly config: ServingConfig }
  | { readonly kind: "stopped" };

interface ServingConfig {
  readonly model: Listener;
  readonly chains: readonly ServingChain[];
  readonly inspects: (port: number) => { readonly inspectTls: boolean; readonly inspectHttp: boolean };
  readonly choose: (hello: ConnectionHello) => ServingChain | undefined;
}

/**
 * A port that is bound, and what serves its connections: exchangeable while they go on. One whose model does not bind has
 * no port of its own, and serves what others hand over.
 */
export class BoundListener {
  readonly address: string;
  readonly port: number;
  readonly #deps: ListenerDeps;
  /** Whether it has its port. */
  readonly binds: boolean;
  #listening: ListeningPort | undefined;
  readonly #sockets = new Set<Socket>();
  /** Of them, those that another listener serves. */
  readonly #handedOver = new Set<Socket>();
  readonly #stopped = new AbortController();
  #draining = false;
  #state: State = { kind: "warming", waiting: new Set() };

  private constructor(model: Listener, deps: ListenerDeps) {
    this.address = model.address;
    this.port = model.port;
    this.#deps = deps;
    this.binds = model.binds;
  }

  /** Binds the port. Throws `proxy.bind`, with the holder when it can be seen. */
  static async bind(model: Listener, deps: ListenerDeps): Promise<BoundListener> {
    const listener = new BoundListener(model, deps);
    if (!model.binds) return listener;
    listener.#listening = await ListeningPort.bind(model, deps.sockets, {
      accepted: (socket) => listener.#accept({ socket, destination: undefined }),
      failed: (error) =>
        deps.logger.error("listener failed", { port: listener.port, error: messageOf(error) }),
    });
    return listener;
  }

  /** Its sockets, for a process that takes them over. */
  get sockets(): readonly ListeningSocket[] {
    const { address, port } = this;
    return (this.#listening?.descriptors() ?? []).map((fd) => ({ address, port, fd }));
  }

  get connections(): number {
    return this.#sockets.size - this.#handedOver.size;
  }

  /** Serves a connection that another listener has accepted. */
  take(socket: Socket, destination: Destination): void {
    if (this.#sockets.size >= MOST_CONNECTIONS) socket.destroy();
    else this.#accept({ socket, destination });
  }

  /** True when connections are served. */
  get serving(): boolean {
    return this.#state.kind === "serving";
  }

  /** Serves by this configuration from now on. Connections that are there keep their chain as long as there is one. */
  serve(model: Listener): void {
    const before = this.#state;
    if (before.kind === "stopped") return;
    const former = before.kind === "serving" ? before.config.chains : [];
    const config = this.#compile(model, former);
    this.#state = { kind: "serving", config };
    for (const chain of former) {
      if (!config.chains.includes(chain)) void this.#retire(chain);
    }
    if (before.kind !== "warming") return;
    for (const arrival of before.waiting) this.#start(arrival, config);
    this.#listening?.acceptInherited();
  }

  /** Answers close their connections from now on, by later configurations too; new ones are still accepted. */
  drain(): void {
    this.#draining = true;
    for (const chain of this.#chains()) chain.drain();
  }

  /** Accepts no more, lets what runs come to its end, and cuts what is left after the drain time. */
  async stop(idle: IdleConnections = "close"): Promise<void> {
    if (this.#state.kind === "stopped") return;
    const chains = this.#chains();
    if (this.#state.kind === "warming") for (const { socket } of this.#state.waiting) socket.destroy();
    this.#state = { kind: "stopped" };
    const closed = this.#closed(idle).then(() => this.#stopped.abort());
    for (const chain of chains) {
      chain.drain();
      if (idle === "close") chain.closeIdle();
    }
    await Promise.race([closed, this.#deps.clock.sleep(this.#deps.drainMs, this.#stopped.signal)]);
    for (const socket of this.#sockets) socket.destroy();
    this.#stopped.abort();
    for (const chain of chains) chain.close();
    await closed;
  }

  /** Resolves when nothing comes in any more, and nothing is open. */
  async #closed(idle: IdleConnections): Promise<void> {
    const ending = [...this.#sockets].map(
      (socket) => new Promise((resolve) => socket.once("close", resolve)),
    );
    await Promise.all([...ending, this.#listening?.close(idle)]);
  }

  #chains(): readonly ServingChain[] {
    return this.#state.kind === "serving" ? this.#state.config.chains : [];
  }

  #compile(model: Listener, former: readonly ServingChain[]): ServingConfig {
    const reuse = (chain: FilterChain): ServingChain => {
      const key = chainKey(chain);
      const same = former.find((one) => one.key === key);
      if (same === undefined) return this.#newChain(chain, model);
      same.update(chain);
      return same;
    };
    const chains = model.chains.map(reuse);
    const fallback = model.defaultChain && reuse(model.defaultChain);
    return {
      model,
      chains: fallback ? [...chains, fallback] : chains,
      inspects: compileInspection(model),
      choose: compileChainMatch(chains, fallback),
    };
  }

  #newChain(chain: FilterChain, listener: Listener): ServingChain {
    const serving = new ServingChain(chain, listener, this.#deps);
    if (this.#draining) serving.drain();
    return serving;
  }

  /** The chain is gone: its connections end with their next answer, or at the end of the drain time. */
  async #retire(chain: ServingChain): Promise<void> {
    chain.drain();
    await this.#deps.clock.sleep(this.#deps.drainMs, this.#stopped.signal);
    chain.close();
  }

  #accept(arrival: Arrival): void {
    const { socket } = arrival;
    socket.on("error", () => {});
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#handedOver.delete(socket);
    });
    const state = this.#state;
    if (state.kind === "serving") this.#start(arrival, state.config);
    else if (state.kind === "warming" && state.waiting.size < MOST_WAITING) {
      state.waiting.add(arrival);
      socket.once("close", () => state.waiting.delete(arrival));
    } else socket.destroy();
  }

  #start(arrival: Arrival, config: ServingConfig): void {
    this.#serveConnection(arrival, config).catch((error: unknown) => {
      this.#deps.logger.debug("connection refused", {
        listener: config.model.name,
        reason: messageOf(error),
      });
      arrival.socket.destroy();
    });
  }

  async #serveConnection({ socket, destination: told }: Arrival, config: ServingConfig): Promise<void> {
    const { captured } = config.model;
    const destination = told ?? (captured && originalDestination(socket));
    if (told === undefined && destination !== undefined && captured === "hand-over") {
      const other = this.#deps.listenerAt(destination);
      if (other !== undefined && other !== this) {
        this.#handedOver.add(socket);
        other.take(socket, destination);
        return;
      }
    }
    const hello = await greet({ socket, destination }, config);
    const chain = hello && config.choose(hello);
    if (hello === undefined || chain === undefined) {
      socket.destroy();
      return;
    }
    await chain.serve(socket, hello);
  }
}

function compileInspection({ inspectTls, inspectHttp }: Listener): ServingConfig["inspects"] {
  const [tls, http] = [inspectTls, inspectHttp].map((inspection) => {
    if (inspection === false) return () => false;
    const exempt = inspection.unless && compilePortRule(inspection.unless);
    return (port: number): boolean => !exempt?.(port);
  });
  return (port) => ({ inspectTls: tls?.(port) ?? false, inspectHttp: http?.(port) ?? false });
}

/** Undefined when the connection is over, or said nothing in time where it had to. */
async function greet(
  { socket, destination }: Arrival,
  { model, inspects }: ServingConfig,
): Promise<ConnectionHello | undefined> {
  const place = {
    remoteAddress: plainAddress(socket.remoteAddress ?? ""),
    remotePort: socket.remotePort ?? 0,
    localAddress: destination?.address ?? plainAddress(socket.localAddress ?? model.address),
    localPort: destination?.port ?? socket.localPort ?? model.port,
    captured: destination !== undefined,
  };
  const plain: ConnectionHello = { ...place, transport: "raw_buffer", serverName: "", alpn: [] };
  const wanted = inspects(place.localPort);
  if (!wanted.inspectTls && !wanted.inspectHttp) return plain;
  const inspected = await inspectConnection(socket, model.inspectTimeoutMs, wanted);
  switch (inspected.kind) {
    case "plain":
      return { ...plain, alpn: inspected.http };
    case "tls":
      return { ...place, transport: "tls", ...inspected.hello };
    case "silent":
      return model.continueAfterInspectTimeout ? plain : undefined;
    case "closed":
      return undefined;
    default:
      return inspected satisfies never;
  }
}
