import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { type Logger, silentLogger } from "../../mesh/telemetry/logger.ts";
import { runProxy } from "../../proxy/app.ts";
import { eventually } from "./eventually.ts";
import { FakeAds } from "./fake-ads.ts";

export interface TestProxyOptions {
  readonly name?: string;
  readonly drainMs?: number;
  readonly concurrency?: number;
  readonly logger?: Logger;
  readonly random?: () => number;
  readonly adminPort?: number;
  /** Until then the reader of standard output holds up what comes after its first lines. */
  readonly takesLines?: Promise<void>;
  /** Looks up names instead of the system. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** A built-in proxy in this process with an ADS of its own. */
export class TestProxy implements AsyncDisposable {
  readonly ads: FakeAds;
  readonly logLines: string[] = [];
  readonly #folder: string;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(folder: string) {
    this.#folder = folder;
    this.ads = new FakeAds(join(folder, "xds.sock"));
  }

  static async start(options: TestProxyOptions = {}): Promise<TestProxy> {
    const folder = await mkdtemp(join(tmpdir(), "lateen-proxy-"));
    const proxy = new TestProxy(folder);
    await proxy.ads.start();
    const name = options.name ?? "client-1";
    proxy.#running = runProxy(
      {
        node: {
          id: `sidecar~127.0.0.1~${name}.default~default.svc.cluster.local`,
          cluster: name,
          metadata: { LABELS: { app: name, version: "v1" }, CLUSTER_ID: "dc1" },
        },
        xdsSocket: join(folder, "xds.sock"),
        adminSocket: join(folder, "admin.sock"),
        adminPort: options.adminPort,
        logLevel: "info",
      },
      {
        logger: options.logger ?? silentLogger,
        clock: systemClock,
        signal: proxy.#stop.signal,
        drainMs: options.drainMs ?? 200,
        concurrency: options.concurrency ?? 1,
        ...(options.random ? { random: options.random } : {}),
        ...(options.resolve ? { resolve: options.resolve } : {}),
        stdout: {
          write: (lines, taken) => {
            proxy.logLines.push(...lines.split(/(?<=\n)/));
            if (options.takesLines) void options.takesLines.then(() => taken());
            else taken();
          },
        },
      },
    );
    return proxy;
  }

  async ready(): Promise<void> {
    await eventually(
      "the proxy is ready",
      async () => (await this.admin("/ready").catch(() => undefined))?.status === 200,
      // Threads of their own take a while on a busy machine.
      20_000,
    );
  }

  /** Asks the admin interface. */
  async admin(path: string, method = "GET"): Promise<AdminAnswer> {
    return await adminAnswer(join(this.#folder, "admin.sock"), path, method);
  }

  /** Begins the shutdown; resolves when the proxy has returned. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.ads[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** What the admin interface of a data plane answers. */
export async function adminAnswer(socketPath: string, path: string, method = "GET"): Promise<AdminAnswer> {
  return await new Promise((resolve, reject) => {
    const asked = request(
      { headers: { host: "admin" }, socketPath, path, method, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** Several of them, no two alike. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const place = server.address();
      if (place === null || typeof place === "string") throw new Error("no port");
      return place.port;
    }),
  );
  await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))));
  return ports;
}
