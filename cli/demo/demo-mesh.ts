import { join } from "node:path";
import type { ApplyReply, SyncReply } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { AdminClient } from "../client.ts";
import type { DemoCatalog } from "./catalog.ts";
import type { DemoProcesses } from "./demo-processes.ts";
import { type DemoHost, NAMESPACE, SERVICE_PORT, type Topology } from "./topology.ts";
import { Browser, pause, type Reply } from "./traffic.ts";

const RESTART_LIMIT_MS = 20_000;

/** A running demo, as the proofs use it. */
export class DemoMesh implements AsyncDisposable {
  readonly topology: Topology;
  readonly dataPlane: "builtin" | "envoy";
  readonly admin: AdminClient;
  readonly catalog: DemoCatalog;
  readonly browser: Browser;
  readonly #processes: DemoProcesses;
  readonly #stack = new AsyncDisposableStack();

  constructor(parts: {
    readonly topology: Topology;
    readonly dataPlane: "builtin" | "envoy";
    readonly admin: AdminClient;
    readonly catalog: DemoCatalog;
    readonly processes: DemoProcesses;
  }) {
    this.topology = parts.topology;
    this.dataPlane = parts.dataPlane;
    this.admin = parts.admin;
    this.catalog = parts.catalog;
    this.#processes = parts.processes;
    this.browser = this.browserFor(`http://${this.host("productpage-v1").address}:${SERVICE_PORT}`);
  }

  host(name: string): DemoHost {
    const host = this.topology.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new MeshError("internal", `the demo has no host ${name}`);
    return host;
  }

  browserFor(origin: string): Browser {
    return this.#stack.use(new Browser(origin));
  }

  /** A call as the application on a host makes it: through the listener of one of its upstreams. */
  async innerCall(hostName: string, service: string, path: string): Promise<Reply> {
    const host = this.host(hostName);
    const upstream = host.upstreams.find((candidate) => candidate.service === service);
    await using browser = new Browser(`http://${host.loopback}:${upstream?.bindPort ?? 0}`);
    return await browser.get(path);
  }

  /** Applies YAML and waits until every connected proxy has acknowledged it. */
  async apply(yaml: string): Promise<SyncReply> {
    const applied = await this.admin.post<ApplyReply>(`/v1/apply?namespace=${NAMESPACE}`, yaml);
    const sync = await this.admin.get<SyncReply>(
      `/v1/sync?snapshot=${applied.snapshot ?? 0}&timeoutMs=10000`,
    );
    const rejected = sync.rejected[0];
    if (rejected !== undefined) {
      throw new MeshError(
        "xds.rejected",
        `${rejected.workload} refused a ${rejected.type}: ${rejected.message}`,
      );
    }
    return sync;
  }

  async killServer(): Promise<void> {
    await this.#processes.kill("server");
  }

  /** Ends a host's agent in order, starts it anew, and returns the milliseconds until `ready` holds. */
  async restartAgent(hostName: string, ready: () => Promise<boolean>): Promise<number> {
    await this.#processes.stop(`agent-${hostName}`);
    const start = performance.now();
    this.#processes.startAgent(this.host(hostName));
    let last: unknown;
    while (performance.now() - start < RESTART_LIMIT_MS) {
      const isReady = await ready().catch((error: unknown) => {
        last = error;
        return false;
      });
      if (isReady) return performance.now() - start;
      await pause(50, this.#processes.signal);
    }
    throw new MeshError("agent.state", `serve from disk after the agent of ${hostName} restarted`, {
      cause: last,
    });
  }

  /** Admin socket of a workload's data plane. */
  proxyAdminSocket(hostName: string): string {
    return join(this.#processes.runDirOf(hostName), `${NAMESPACE}.${hostName}`, "admin.sock");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
