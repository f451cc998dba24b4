import { isIPv6 } from "node:net";
import type { Steps } from "../../mesh/lifecycle/slices.ts";
import {
  BoundListener,
  type IdleConnections,
  type ListenerDeps,
} from "../data-path/listener/bound-listener.ts";
import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";
import { chainNeeds } from "../data-path/listener/serving-chain.ts";
import { loadForeignServerTls } from "../data-path/tls/foreign-credentials.ts";
import type { FilterChain, Listener } from "../model/listener.ts";
import { type Destination, prepareOriginalDestination } from "../transport/original-destination.ts";

export type ListenerDepsOf = Omit<ListenerDeps, "tables" | "listenerAt"> & { readonly signal: AbortSignal };

/** What must be there before a listener can serve. */
export interface ListenerNeeds {
  readonly secrets: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  readonly clusters: ReadonlySet<string>;
}

interface Entry {
  readonly bound: BoundListener;
  /** What was accepted last. */
  readonly model: Listener;
  readonly needs: ListenerNeeds;
  /** True while `model` waits for what it refers to; what served before goes on serving. */
  warming: boolean;
}

/** The listeners of a proxy. A port is bound when its listener arrives, and serves when it is complete. */
export class ListenerSet {
  readonly #deps: ListenerDeps & { readonly signal: AbortSignal };
  readonly #missingFor: (needs: ListenerNeeds) => string[];
  readonly #entries = new Map<string, Entry>();
  /** Made when it is asked for, after each change. */
  #byPlace: Map<string, BoundListener> | undefined;
  /** What all of them need; made likewise. */
  #wanted: Pick<ListenerNeeds, "routes" | "secrets"> | undefined;
  readonly #stopping = new Set<Promise<void>>();
  #draining: "no" | "inbound" | "all" = "no";

  constructor(
    deps: Omit<ListenerDeps, "listenerAt"> & { readonly signal: AbortSignal },
    missingFor: (needs: ListenerNeeds) => string[],
  ) {
    this.#deps = { ...deps, listenerAt: (destination) => this.at(destination) };
    this.#missingFor = missingFor;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** The listener that `put` takes. Throws `identity.invalid` when the files that its TLS names cannot be used. */
  prepare({ chains, defaultChain, ...rest }: Listener): Listener {
    return { ...rest, chains: chains.map(loadChain), defaultChain: defaultChain && loadChain(defaultChain) };
  }

  /** Throws `proxy.bind` when the port cannot be bound; the former listener then stays as it is. */
  async put(model: Listener): Promise<void> {
    const former = this.#entries.get(model.name);
    if (model.captured) prepareOriginalDestination();
    const samePlace =
      former?.bound.address === model.address &&
      former.bound.port === model.port &&
      former.bound.binds === model.binds;
    const bound = former && samePlace ? former.bound : await BoundListener.bind(model, this.#deps);
    this.#entries.set(model.name, { bound, model, needs: needsOf(model), warming: true });
    this.#changed();
    if (former && !samePlace) this.#stop(former.bound);
    if (this.#draining === "all" || (this.#draining === "inbound" && model.direction === "inbound"))
      bound.drain();
  }

  /** The listener of a destination: of its address, or else of any address. */
  at({ address, port }: Destination): BoundListener | undefined {
    this.#byPlace ??= new Map(
      [...this.#entries.values()].flatMap(({ bound, model }) =>
        placesOf(model).map((place) => [placeKey(place, bound.port), bound] as const),
      ),
    );
    const anywhere = isIPv6(address) ? "::" : "0.0.0.0";
    return this.#byPlace.get(placeKey(address, port)) ?? this.#byPlace.get(placeKey(anywhere, port));
  }

  remove(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#changed();
    this.#stop(entry.bound);
  }

  /** Lets every listener serve its newest configuration whose needs are met. In steps of a listener each. */
  *activate(): Steps<void> {
    for (const entry of this.#entries.values()) {
      if (!entry.warming) continue;
      if (this.#missingFor(entry.needs).length === 0) {
        entry.warming = false;
        entry.bound.serve(entry.model);
      }
      yield;
    }
  }

  missing(): string[] {
    return [...this.#entries.values()].flatMap(({ bound, model, needs }) => {
      if (bound.serving) return [];
      return [`listener ${model.name} waits for ${this.#missingFor(needs).join(", ")}`];
    });
  }

  /** The same as long as nothing changes. */
  wanted(): Pick<ListenerNeeds, "routes" | "secrets"> {
    this.#wanted ??= wantedBy([...this.#entries.values()].map(({ needs }) => needs));
    return this.#wanted;
  }

  list(): readonly { readonly model: Listener; readonly connections: number; readonly serving: boolean }[] {
    return [...this.#entries.values()].map(({ model, bound }) => ({
      model,
      connections: bound.connections,
      serving: bound.serving,
    }));
  }

  /** Answers close their connections from now on, so that callers go elsewhere; ports stay open. */
  drain(which: "inbound" | "all"): void {
    if (this.#draining !== "all") this.#draining = which;
    for (const { bound, model } of this.#entries.values()) {
      if (which === "all" || model.direction === "inbound") bound.drain();
    }
  }

  sockets(): readonly ListeningSocket[] {
    return [...this.#entries.values()].flatMap(({ bound }) => bound.sockets);
  }

  /** Closes all ports; resolves when their connections are over, at the latest after the drain time. */
  async stop(idle: IdleConnections): Promise<void> {
    for (const { bound } of this.#entries.values()) this.#stop(bound, idle);
    this.#entries.clear();
    this.#changed();
    await Promise.all(this.#stopping);
  }

  #changed(): void {
    this.#byPlace = undefined;
    this.#wanted = undefined;
  }

  #stop(bound: BoundListener, idle: IdleConnections = "close"): void {
    const stopping: Promise<void> = bound.stop(idle).finally(() => this.#stopping.delete(stopping));
    this.#stopping.add(stopping);
  }
}

function placesOf({ address, ipv4Compat }: Listener): readonly string[] {
  return address === "::" && ipv4Compat ? [address, "0.0.0.0"] : [address];
}

function placeKey(address: string, port: number): string {
  return `${address}|${port}`;
}

function loadChain(chain: FilterChain): FilterChain {
  return chain.tls?.kind === "foreign" ? { ...chain, tls: loadForeignServerTls(chain.tls) } : chain;
}

function wantedBy(all: readonly ListenerNeeds[]): Pick<ListenerNeeds, "routes" | "secrets"> {
  const wanted = { routes: new Set<string>(), secrets: new Set<string>() };
  for (const { routes, secrets } of all) {
    for (const name of routes) wanted.routes.add(name);
    for (const name of secrets) wanted.secrets.add(name);
  }
  return wanted;
}

function needsOf(model: Listener): ListenerNeeds {
  const chains = model.defaultChain ? [...model.chains, model.defaultChain] : model.chains;
  const needs = chains.map(chainNeeds);
  return {
    secrets: new Set(needs.flatMap(({ secrets }) => secrets)),
    routes: new Set(needs.flatMap(({ routes }) => routes)),
    clusters: new Set(needs.flatMap(({ clusters }) => clusters)),
  };
}
