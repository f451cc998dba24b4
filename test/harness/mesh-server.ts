import { join } from "node:path";
import { AdminClient } from "../../cli/client.ts";
import { runServer } from "../../controlplane/app.ts";
import { loadServerConfig } from "../../controlplane/config.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { LogBook } from "./mesh-log.ts";

export interface MeshServerOptions {
  readonly directory: string;
  /** Its own loopback address; the ports on it are the usual ones. */
  readonly address: string;
  readonly trustDomain: string;
  readonly consul: string | undefined;
  readonly leafTtlSeconds: number | undefined;
}

/** `lateen server` in this process, which can be stopped and started again on the same state. */
export class MeshServer implements AsyncDisposable {
  readonly log: LogBook = new LogBook("server");
  readonly adminSocket: string;
  readonly admin: AdminClient;
  readonly #options: MeshServerOptions;
  #running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

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
    const { directory, address, trustDomain, consul, leafTtlSeconds } = this.#options;
    const config = loadServerConfig({
      environment: {},
      flags: {
        trustDomain,
        stateDir: join(directory, "server"),
        runDir: join(directory, "run"),
        agents: { address, port: 15_012, advertise: [this.address] },
        admin: { address, port: 15_015 },
        health: { address, port: 15_014 },
        leafTtlSeconds,
        ...(consul === undefined ? {} : { consul: { address: consul } }),
      },
    });
    const stop = new AbortController();
    const ready = Promise.withResolvers<void>();
    const done = runServer(config, {
      logger: this.log.logger,
      clock: systemClock,
      signal: stop.signal,
      onReady: () => ready.resolve(),
    });
    done.catch(ready.reject);
    this.#running = { stop, done };
    await ready.promise;
  }

  /** Ends it in order; what it knows stays on disk. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.stop.abort();
    await running?.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.admin[Symbol.asyncDispose]();
  }
}
