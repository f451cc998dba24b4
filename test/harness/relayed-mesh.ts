import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { envoyBootstrap } from "../../agent/bootstrap/envoy-bootstrap.ts";
import { createRelay } from "../../agent/relay/relay.ts";
import type { MeshState } from "../../controlplane/snapshot/mesh-state.ts";
import { createTranslator, type Translator } from "../../controlplane/translate/translator.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { openDeltaStream } from "../../mesh/xds/ads-service.ts";
import { nodeId, parseNodeId } from "../../mesh/xds/names.ts";
import { runProxy } from "../../proxy/app.ts";
import { EnvoyProcess } from "./envoy-process.ts";
import { eventually } from "./eventually.ts";
import { type RunningAds, startAds } from "./running-ads.ts";
import { adminAnswer } from "./test-proxy.ts";

export type DataPlaneKind = "envoy" | "builtin";

/** A server's part: what it knows of the mesh, translates, and serves. */
interface RunningServer extends AsyncDisposable {
  readonly state: MeshState;
  readonly translator: Translator;
  readonly ads: RunningAds;
  publish(): void;
}

/** All that is between a snapshot and a workload's calls: translation, ADS, the agent's relay, a data plane. No identities. */
export class RelayedMesh implements AsyncDisposable {
  readonly #kind: DataPlaneKind;
  readonly #folder: string;
  readonly #nodeId: string;
  readonly #stack = new AsyncDisposableStack();
  #server: RunningServer;
  #dataPlane: AsyncDisposable | undefined;

  private constructor(kind: DataPlaneKind, folder: string, server: RunningServer, name: string) {
    this.#kind = kind;
    this.#folder = folder;
    this.#server = server;
    this.#nodeId = nodeId("127.0.0.1", name, "default", "cluster.local");
  }

  /** `name` is that of a workload of `default` in the state; its data plane is ready when this resolves. */
  static async start(kind: DataPlaneKind, state: MeshState, name: string): Promise<RelayedMesh> {
    const folder = await mkdtemp(join(tmpdir(), "lateen-relayed-"));
    const mesh = new RelayedMesh(kind, folder, await startServer(state), name);
    await mesh.#startRelay();
    await mesh.startDataPlane();
    return mesh;
  }

  get state(): MeshState {
    return this.#server.state;
  }

  publish(): void {
    this.#server.publish();
  }

  /** Names of the node's clusters, as the server would have them. */
  clusters(id: WorkloadId, typeUrl: string): readonly string[] {
    const types = this.#server.translator.preview(id)?.types;
    return [...(types ?? [])].flatMap(([type, map]) => (type === typeUrl ? [...map.keys()] : []));
  }

  serverDown(): void {
    this.#server.ads.down();
  }

  /** Another server in the place of this one: it knows the mesh, and nothing of what was asked for. */
  async replaceServer(state: MeshState): Promise<void> {
    const before = this.#server;
    this.#server = await startServer(state);
    await before[Symbol.asyncDispose]();
  }

  async startDataPlane(): Promise<void> {
    this.#dataPlane = this.#kind === "envoy" ? await this.#startEnvoy() : await this.#startBuiltin();
  }

  async stopDataPlane(): Promise<void> {
    await this.#dataPlane?.[Symbol.asyncDispose]();
    this.#dataPlane = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopDataPlane();
    await this.#stack.disposeAsync();
    await this.#server[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #xdsSocket(): string {
    return join(this.#folder, "run", "xds.sock");
  }

  async #startRelay(): Promise<void> {
    const stop = new AbortController();
    const clients: Client[] = [];
    const relay = createRelay({
      socketPath: this.#xdsSocket,
      upstream: {
        open: () => {
          const client = new Client(this.#server.ads.address, credentials.createInsecure());
          clients.push(client);
          return openDeltaStream(client);
        },
      },
      accessLog: {},
      secrets: { secret: () => undefined, onChange: () => {} },
      serves: (id) => id === this.#nodeId,
      stateDir: this.#folder,
      trustDomain: "cluster.local",
      logger: silentLogger,
      clock: systemClock,
      random: () => 0,
    });
    const listening = Promise.withResolvers<void>();
    const running = relay.run(stop.signal, listening.resolve);
    await Promise.race([listening.promise, running]);
    this.#stack.defer(async () => {
      stop.abort();
      await running;
      for (const client of clients) client.close();
    });
  }

  async #startEnvoy(): Promise<AsyncDisposable> {
    return await EnvoyProcess.start((adminSocket) =>
      envoyBootstrap({
        id: this.#nodeId,
        cluster: "test.default",
        metadata: {},
        adminSocket,
        xdsSocket: this.#xdsSocket,
      }),
    );
  }

  async #startBuiltin(): Promise<AsyncDisposable> {
    const stop = new AbortController();
    const adminSocket = join(this.#folder, "admin.sock");
    const running = runProxy(
      {
        node: { id: this.#nodeId, cluster: "test.default", metadata: {} },
        xdsSocket: this.#xdsSocket,
        adminSocket,
        adminPort: undefined,
        logLevel: "info",
      },
      {
        logger: silentLogger,
        clock: systemClock,
        signal: stop.signal,
        drainMs: 0,
        stdout: { write: (_lines, taken) => taken() },
      },
    );
    await eventually(
      "the proxy is ready",
      async () => (await adminAnswer(adminSocket, "/ready").catch(() => undefined))?.status === 200,
    );
    return {
      async [Symbol.asyncDispose]() {
        stop.abort();
        await running;
      },
    };
  }
}

async function startServer(state: MeshState): Promise<RunningServer> {
  const publish = (): void => {
    const { snapshot, changed } = state.next();
    translator.publish(snapshot, changed);
  };
  const translator = createTranslator({
    onAsked: (id, names) => {
      state.setObserved(id, names);
      // As the publisher does: not within the request that asks.
      setImmediate(publish);
    },
  });
  publish();
  const ads = await startAds({
    source: translator,
    authorize: (_call, id) => {
      const named = parseNodeId(id);
      return named === undefined
        ? { kind: "refused", reason: "no node id" }
        : { kind: "allowed", node: { id, workload: workloadId(named) } };
    },
  });
  return { state, translator, ads, publish, [Symbol.asyncDispose]: () => ads[Symbol.asyncDispose]() };
}
