import { rm } from "node:fs/promises";
import { workloadSpiffeId } from "../mesh/identity/spiffe-id.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import { type Workload, type WorkloadId, workloadId } from "../mesh/model/workload.ts";
import { dataPlaneNode } from "./bootstrap/data-plane-node.ts";
import type { DataPlane, DataPlaneProcess, WorkerThreads } from "./dataplane/data-plane.ts";
import type { SupervisorState } from "./dataplane/supervisor-state.ts";
import type { WorkloadSvids } from "./identity/workload-svids.ts";
import type { ConcurrencySettings } from "./registration/concurrency-settings.ts";
import { orAborted } from "./state/or-aborted.ts";
import { type WorkloadPaths, workloadPaths } from "./state/paths.ts";

export interface RunnerOptions {
  readonly trustDomain: string;
  readonly domainSuffix: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly xdsSocket: string;
  readonly svids: WorkloadSvids;
  readonly dataPlane: DataPlane;
  readonly concurrency: Pick<ConcurrencySettings, "of" | "changes">;
  readonly clock: Clock;
}

/** One workload from its identity to the end of its data plane. */
export class WorkloadRunner {
  readonly id: WorkloadId;
  /** As it was when it started. */
  readonly workload: Workload;
  readonly nodeId: string;
  readonly files: WorkloadPaths;
  readonly #options: RunnerOptions;
  readonly #process: DataPlaneProcess;
  #leaving = false;

  constructor(workload: Workload, options: RunnerOptions) {
    this.id = workloadId(workload);
    this.workload = workload;
    this.#options = options;
    this.files = workloadPaths(options.stateDir, options.runDir, workload);
    const { xdsSocket } = options;
    const node = dataPlaneNode(workload, options, { xdsSocket, adminSocket: this.files.adminSocket });
    this.nodeId = node.id;
    const { changes } = options.concurrency;
    const concurrency = { said: () => options.concurrency.of(this.id), changes };
    this.#process = options.dataPlane.create(node, this.files, concurrency);
  }

  get threads(): WorkerThreads | undefined {
    return this.#process.threads;
  }

  get state(): SupervisorState {
    return this.#process.state;
  }

  /** Gets the identity, then keeps the data plane running until the signal is aborted and it is gone. */
  async run(signal: AbortSignal): Promise<void> {
    const { svids, trustDomain } = this.#options;
    const { namespace, serviceAccount } = this.workload;
    await svids.add(this.id, workloadSpiffeId(trustDomain, namespace, serviceAccount), this.files.svid);
    await this.#untilIdentified(signal);
    if (!signal.aborted) await this.#process.run(signal);
    if (!this.#leaving) return;
    await svids.remove(this.id);
    await rm(this.files.state, { recursive: true, force: true });
    await rm(this.files.run, { recursive: true, force: true });
  }

  async drain(): Promise<void> {
    await this.#process.drain();
  }

  /** At the end of its run the data plane is left running, for the next agent. */
  release(): void {
    this.#process.release();
  }

  /** The workload is gone for good: its key, certificate and configuration go with it. */
  leave(): void {
    this.#leaving = true;
  }

  async #untilIdentified(signal: AbortSignal): Promise<void> {
    const { svids } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (svids.current(this.id) !== undefined) resolve();
    };
    const stop = svids.changes.subscribe(look);
    look();
    await orAborted(promise, signal);
    stop();
  }
}
