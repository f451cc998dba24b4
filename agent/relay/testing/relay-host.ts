import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { openDeltaStream } from "../../../mesh/xds/ads-service.ts";
import { nodeId } from "../../../mesh/xds/names.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { DeltaClient } from "../../../test/harness/ads-clients.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import type { RunningAds } from "../../../test/harness/running-ads.ts";
import { createRelay, type Relay, type RelayOptions } from "../relay.ts";
import type { SecretSource } from "../secret-lane.ts";

const { cluster, endpoints, listener, route } = TYPE_URL;
export const WEB = nodeId("127.0.0.1", "web", "default", "cluster.local");
export const API = nodeId("127.0.0.1", "api", "default", "cluster.local");
export const SMALL = { cluster: { c: "1" }, endpoints: { c: "1" }, listener: { l: "1" }, route: { r: "1" } };
export const ALL_SMALL = ["cluster +c@1", "endpoints +c@1", "listener +l@1", "route +r@1"];

class FakeSecrets implements SecretSource {
  readonly #versions = new Map<string, string>();
  #listener: (workload: string) => void = () => {};

  secret(workload: string, name: string) {
    const version = this.#versions.get(`${workload} ${name}`);
    return version === undefined ? undefined : { version, bytes: Buffer.from(`key of ${workload}`) };
  }

  onChange(listener: (workload: string) => void): void {
    this.#listener = listener;
  }

  set(workload: string, name: string, version: string): void {
    this.#versions.set(`${workload} ${name}`, version);
    this.#listener(workload);
  }
}

export interface RunningRelay extends AsyncDisposable {
  readonly relay: Relay;
  /** A data plane. */
  connect(): DeltaClient;
  stop(): Promise<void>;
}

/** A directory for an agent's state and sockets, which outlives the relays that are started on it. */
export async function host() {
  const directory = await mkdtemp(join(tmpdir(), "lateen-relay-"));
  const secrets = new FakeSecrets();
  const socketPath = join(directory, "run", "xds.sock");
  return {
    directory,
    secrets,
    socketPath,
    xdsDir: (name: string) => join(directory, "workloads", `default.${name}`, "xds"),
    async start(server: RunningAds, options: Partial<RelayOptions> = {}): Promise<RunningRelay> {
      const upstream = new Client(server.address, credentials.createInsecure(), {
        "grpc.initial_reconnect_backoff_ms": 20,
        "grpc.max_reconnect_backoff_ms": 50,
        "grpc.min_reconnect_backoff_ms": 20,
      });
      const relay = createRelay({
        socketPath,
        upstream: { open: () => openDeltaStream(upstream) },
        secrets,
        accessLog: {},
        serves: (id) => id === WEB || id === API,
        stateDir: directory,
        trustDomain: "cluster.local",
        logger: silentLogger,
        clock: systemClock,
        random: () => 0,
        ...options,
      });
      const abort = new AbortController();
      const listening = Promise.withResolvers<void>();
      const running = relay.run(abort.signal, listening.resolve);
      await Promise.race([listening.promise, running]);
      const clients: Client[] = [];
      const stop = async (): Promise<void> => {
        abort.abort();
        await running;
        for (const client of clients) client.close();
        upstream.close();
      };
      return {
        relay,
        stop,
        connect() {
          const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
          clients.push(client);
          return new DeltaClient(client);
        },
        [Symbol.asyncDispose]: stop,
      };
    },
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true });
    },
  };
}

/** Waits until the relay has read the data plane's answer to this type: an ACK is on its way for a moment. */
export async function acked({ relay }: RunningRelay, typeUrl: string): Promise<void> {
  await eventually(`ACK of ${typeUrl}`, () => relay.status()[0]?.lastAck?.typeUrl === typeUrl);
}

/** Subscribes to everything of a small configuration as Envoy does, and acknowledges it. */
export async function sync(client: DeltaClient, id: string = WEB): Promise<readonly string[]> {
  client.request(cluster, { node: { id } });
  const lines = [await client.take()];
  client.request(endpoints, { resourceNamesSubscribe: ["c"] });
  lines.push(await client.take());
  client.request(listener);
  lines.push(await client.take());
  client.request(route, { resourceNamesSubscribe: ["r"] });
  lines.push(await client.take());
  return lines;
}
