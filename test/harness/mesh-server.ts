import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AdminClient } from "../../cli/client.ts";
import { runServer } from "../../controlplane/app.ts";
import { loadServerConfig } from "../../controlplane/config.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { eventually } from "./eventually.ts";
import { lateenIn } from "./lateen-process.ts";
import { LogBook } from "./mesh-log.ts";
import type { Namespace } from "./network-lab.ts";

export interface MeshServerOptions {
  readonly directory: string;
  /** Its own loopback address; the ports on it are the usual ones. */
  readonly address: string;
  readonly trustDomain: string;
  readonly consul: string | undefined;
  readonly leafTtlSeconds: number | undefined;
  readonly agentTtlSeconds?: number | undefined;
  /** What server.yaml says beside. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** Where it runs as a process of its own; undefined: in this process. */
  readonly within: Namespace | undefined;
  /** Pace of a change of the CA; undefined: the usual one. */
  readonly rotation?: { readonly renewWithinSeconds: number; readonly awayAfterSeconds: number } | undefined;
}

/** `lateen server`, in this process unless a namespace is given, which can be stopped and started again on the same state. */
export class MeshServer implements AsyncDisposable {
  readonly log: LogBook = new LogBook("server");
  readonly adminSocket: string;
  readonly admin: AdminClient;
  readonly #options: MeshServerOptions;
  #running: { readonly stop: () => void; readonly done: Promise<unknown> } | undefined;

  constructor(options: MeshServerOptions) {
    this.#options = options;
    this.adminSocket = join(options.directory, "run", "admin.sock");
    this.admin = new AdminClient({ socketPath: this.adminSocket });
  }

  get address(): string {
    return `${this.#options.address}:15012`;
  }

  /** Resolves once it listens. */
  async start(): Promise<void> {
    const { directory, address, trustDomain, consul, leafTtlSeconds, agentTtlSeconds, rotation, within } =
      this.#options;
    const own = within === undefined ? address : "127.0.0.1";
    const flags = {
      trustDomain,
      stateDir: join(directory, "server"),
      runDir: join(directory, "run"),
      agents: { address, port: 15_012, advertise: [this.address] },
      admin: { address: own, port: 15_015 },
      health: { address: own, port: 15_014 },
      leafTtlSeconds,
      // Issuers of tests are on this machine, and their keys change within a test.
      jwks: { allowHttp: true, allowAddresses: ["127.0.0.0/8"], refreshSeconds: 10 },
      agentTtlSeconds,
      ...(rotation === undefined ? {} : { ca: { rotation } }),
      ...(consul === undefined ? {} : { consul: { address: consul } }),
      ...this.#options.config,
    };
    if (within !== undefined) return this.#startWithin(within, flags);
    const config = loadServerConfig({ environment: {}, flags });
    const stop = new AbortController();
    const ready = Promise.withResolvers<void>();
    const done = runServer(config, {
      logger: this.log.logger,
      clock: systemClock,
      signal: stop.signal,
      onReady: () => ready.resolve(),
    });
    done.catch(ready.reject);
    this.#running = { stop: () => stop.abort(), done };
    await ready.promise;
  }

  async #startWithin(within: Namespace, flags: Readonly<Record<string, unknown>>): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true });
    const file = join(this.#options.directory, "server.yaml");
    await writeFile(file, JSON.stringify(flags), { mode: 0o600 });
    const child = lateenIn(within, ["server", "--config", file], this.log.logger);
    this.#running = { stop: () => child.kill("SIGTERM"), done: once(child, "exit") };
    const answers = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`the server ended:\n${this.log.text}`);
      return this.admin.get("/v1/version").then(
        () => true,
        () => false,
      );
    };
    await eventually("the server answers", answers, 20_000);
  }

  /** Ends it in order; what it knows stays on disk. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.stop();
    await running?.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.admin[Symbol.asyncDispose]();
  }
}
