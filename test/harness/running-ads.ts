import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { type AdsServer, type AdsServerOptions, adsHandlers } from "../../controlplane/xds/ads-handlers.ts";
import type { ConfigSource, NodeResources, XdsNode } from "../../controlplane/xds/config-source.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { adsService } from "../../mesh/xds/ads-service.ts";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { DeltaClient, SotwClient } from "./ads-clients.ts";

export type Versions = Partial<Record<keyof typeof TYPE_URL, Record<string, string>>>;

/** A source with one state per node: `{ cluster: { a: "1" } }` is a cluster `a` in version 1. */
export class FakeSource implements ConfigSource {
  snapshot = 0;
  readonly #nodes = new Map<string, NodeResources>();
  readonly #listeners = new Set<(snapshot: number) => void>();

  resourcesFor(node: XdsNode): NodeResources | undefined {
    return this.#nodes.get(node.id);
  }

  onPublish(listener: (snapshot: number) => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  publish(nodeId: string, versions: Versions): number {
    const types = new Map<TypeUrl, ResourceMap>();
    for (const [short, resources] of Object.entries(versions)) {
      const list = Object.entries(resources).map(([name, version]) => {
        return { name, version, bytes: Buffer.from(`${name}@${version}`) };
      });
      types.set(TYPE_URL[short as keyof Versions], resourceMap(list));
    }
    return this.publishResources(nodeId, types);
  }

  /** Resources that are what they say, for a real proxy. */
  publishResources(nodeId: string, types: ReadonlyMap<TypeUrl, ResourceMap>): number {
    this.snapshot += 1;
    this.#nodes.set(nodeId, { snapshot: this.snapshot, types });
    for (const listener of this.#listeners) listener(this.snapshot);
    return this.snapshot;
  }
}

export interface RunningAds extends AsyncDisposable {
  readonly ads: AdsServer;
  readonly source: FakeSource;
  /** For grpc-js clients. */
  readonly address: string;
  /** Stops the ADS handlers; connections stay. */
  stop(): Promise<void>;
  /** Breaks all connections and takes none, until `up`. */
  down(): void;
  up(): Promise<void>;
  delta(): DeltaClient;
  sotw(): SotwClient;
}

/** The ADS handlers behind a real gRPC server on a unix socket. */
export async function startAds(options: Partial<AdsServerOptions> = {}): Promise<RunningAds> {
  const directory = await mkdtemp(join(tmpdir(), "lateen-ads-"));
  const source = new FakeSource();
  const ads = adsHandlers({
    source,
    authorize: (_call, id) => ({ kind: "allowed", node: { id, workload: `default/${id}` } }),
    server: "server-1",
    logger: silentLogger,
    clock: systemClock,
    ...options,
  });
  const address = `unix:${join(directory, "ads.sock")}`;
  let server = await listen(ads, address);
  const abort = new AbortController();
  const running = ads.run(abort.signal);
  const clients: Client[] = [];
  const client = (): Client => {
    const made = new Client(address, credentials.createInsecure());
    clients.push(made);
    return made;
  };
  const stop = async (): Promise<void> => {
    abort.abort();
    await running;
  };
  return {
    ads,
    source,
    address,
    stop,
    down: () => server.forceShutdown(),
    up: async () => {
      server = await listen(ads, address);
    },
    delta: () => new DeltaClient(client()),
    sotw: () => new SotwClient(client()),
    async [Symbol.asyncDispose]() {
      await stop();
      for (const made of clients) made.close();
      server.forceShutdown();
      await rm(directory, { recursive: true });
    },
  };
}

async function listen(ads: AdsServer, address: string): Promise<Server> {
  const server = new Server();
  server.addService({ ...adsService }, { ...ads.handlers });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  return server;
}
