import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentStatus } from "../mesh/admin-api/agent-status.ts";
import { messageOf } from "../mesh/errors.ts";
import { runTasks } from "../mesh/lifecycle/run-tasks.ts";
import { type Workload, type WorkloadId, workloadId } from "../mesh/model/workload.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { workloadNodeId } from "./bootstrap/data-plane-node.ts";
import { KeptCapture } from "./capture/kept-capture.ts";
import type { GatewayRole } from "./config.ts";
import { readRecords, stopStaleProcesses } from "./dataplane/stale-processes.ts";
import type { Discovery, LocalService } from "./discovery/discovery.ts";
import { hasIpv6, hostAddressTest } from "./host/local-addresses.ts";
import type { WorkloadHealth } from "./probes/workload-health.ts";
import type { ConcurrencySettings } from "./registration/concurrency-settings.ts";
import type { GroupSettings } from "./registration/group-settings.ts";
import { readLastWorkloads, writeLastWorkloads } from "./registration/last-workloads.ts";
import { planGateways } from "./registration/plan-gateways.ts";
import { logNewProblems, type PlanProblem } from "./registration/plan-problem.ts";
import { planWorkloads } from "./registration/plan-workloads.ts";
import { readHostPorts } from "./registration/read-host-ports.ts";
import type { Registration } from "./registration/registration.ts";
import { Changes, Wake } from "./state/changes.ts";
import { TaskGroup } from "./state/task-group.ts";
import { type RunnerOptions, WorkloadRunner } from "./workload-runner.ts";

export interface ReconcilerOptions extends RunnerOptions {
  readonly loopback: string;
  readonly gateways: readonly GatewayRole[];
  /** The address of this host towards its server. */
  readonly ownAddress: string;
  /** Of workloads that say none. */
  readonly locality: string;
  readonly network: string;
  /** How proxies of this host listen at the addresses of services; looked at again and again. */
  readonly vips: () => Promise<"loopback" | "routed">;
  readonly registration: Registration;
  readonly groups: GroupSettings;
  readonly concurrency: ConcurrencySettings;
  readonly health: WorkloadHealth;
  readonly logger: Logger;
  /** How long a workload that is no endpoint any more still takes new connections: its callers learn of it meanwhile. */
  readonly settleMs: number;
  /** Aborted: workloads stay as they are when this agent ends, for the one that comes after it. */
  readonly released: AbortSignal;
}

/** What this agent does for one workload, for status. */
export interface ReconciledWorkload {
  readonly workload: Workload;
  /** What its group says is not known yet. */
  readonly waits: boolean;
  readonly runner: WorkloadRunner | undefined;
}

/** Ports that were taken may be free again: they are looked at this often. */
const RECHECK_MS = 2000;
/** How long a leave waits for the server to take note; it may be away. */
const DEREGISTER_MS = 2000;

/**
 * Brings what runs in line with what is discovered. A workload starts in the order registration, SVID, data plane, and
 * goes in the order deregistration, a moment for its callers to learn of it, drain, stop.
 */
export class Reconciler {
  /** Notified after each change of what is wanted. */
  readonly changes: Changes = new Changes();
  readonly #options: ReconcilerOptions;
  readonly #wake = new Wake();
  readonly #tasks: TaskGroup;
  readonly #runners = new Map<WorkloadId, WorkloadRunner>();
  readonly #retiring = new Set<WorkloadRunner>();
  #discovery: Discovery | undefined;
  #services: readonly LocalService[] | undefined;
  /** Those that the services are of, and those that what runs is of. */
  #files: { readonly told: Discovery["files"]; readonly inForce: Discovery["files"] } = {
    told: {},
    inForce: {},
  };
  #workloads: ReadonlyMap<WorkloadId, Workload> = new Map();
  #problems: readonly PlanProblem[] = [];
  #unsettled = false;
  #swept = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#tasks = new TaskGroup((id, error) => {
      options.logger.error("a workload's data plane could not be run", {
        workload: id,
        error: messageOf(error),
      });
    });
  }

  /** Whether the source has told what runs on this host; until then, what ran last is served. */
  get discovered(): boolean {
    return this.#services !== undefined;
  }

  /** What of the source cannot be used, and what of its services cannot be had. */
  get problems(): AgentStatus["problems"] {
    const planned = [...this.#problems, ...this.#options.health.problems];
    return [...(this.#discovery?.findings ?? []), ...planned.map(toProblem)];
  }

  /** What the source says of this host; undefined until it has told. */
  get services(): readonly LocalService[] | undefined {
    return this.#services;
  }

  /** The source's files that are in force; see `Discovery.files`. */
  get files(): Readonly<Record<string, string>> {
    return this.#files.inForce ?? {};
  }

  /** Those that let their requests finish and go. */
  get leaving(): readonly WorkloadId[] {
    return [...this.#retiring].map(({ id }) => id);
  }

  workloads(): readonly ReconciledWorkload[] {
    return [...this.#workloads].map(([id, workload]) => ({
      workload,
      waits: this.#options.groups.served(workload) === undefined,
      runner: this.#runners.get(id),
    }));
  }

  /** Whether an xDS node is one of the workloads on this host now. */
  serves(nodeId: string): boolean {
    return [...this.#runners.values()].some((runner) => runner.nodeId === nodeId);
  }

  /**
   * Runs until the signal is aborted, then lets every workload go in order; returns when nothing is left running, but for
   * what was released.
   */
  async run(discovery: Discovery, signal: AbortSignal): Promise<void> {
    const { clock, groups, concurrency, health } = this.#options;
    this.#discovery = discovery;
    await groups.load();
    await concurrency.load();
    const last = await readLastWorkloads(this.#options);
    health.remember(last);
    if (last.length > 0) {
      this.#options.logger.info("serving the workloads of the last run", { workloads: last.length });
      this.#apply(last);
    }
    const unsubscribe = [groups, health].map(({ changes }) => changes.subscribe(() => this.#wake.raise()));
    try {
      await runTasks(
        signal,
        async (signal) => {
          for await (const services of discovery.watch(signal)) {
            this.#services = services;
            this.#files = { ...this.#files, told: discovery.files };
            this.#wake.raise();
          }
        },
        async (signal) => {
          while (!signal.aborted) {
            await this.#wake.wait(signal);
            if (!signal.aborted) await this.#reconcile();
          }
        },
        (signal) => concurrency.keep(signal),
        async (signal) => {
          while (!signal.aborted) {
            await clock.sleep(RECHECK_MS, signal);
            const isDue = this.#problems.length > 0 || this.#unsettled || this.#lacksRunners();
            if (isDue || (await this.#vipsMoved())) this.#wake.raise();
          }
        },
      );
    } finally {
      for (const stop of unsubscribe) stop();
      await health.stop();
      await this.#leaveAll();
    }
  }

  async #reconcile(): Promise<void> {
    if (this.#services === undefined) {
      this.#apply([...this.#workloads.values()]);
      await this.#options.groups.keep();
      return;
    }
    const { told } = this.#files;
    const { dataPlane, loopback, logger, runDir, trustDomain } = this.#options;
    const records = await readRecords(runDir);
    const ownPids = new Set([...records.values()].map(({ pid }) => pid));
    const ports = await readHostPorts(this.#services, loopback, ownPids);
    const { gateways, ownAddress, locality, network } = this.#options;
    const settings = {
      loopback,
      dataPlane: dataPlane.kind,
      trustDomain,
      locality,
      network,
      isHere: hostAddressTest(),
      vips: await this.#options.vips(),
      ipv6: hasIpv6(),
      ruled: new KeptCapture().inForce?.plan.services ?? [],
    };
    const plan = planWorkloads(this.#services, this.#workloads, ports, settings);
    const workloads = [...plan.workloads, ...planGateways(gateways, ownAddress, settings)];
    logNewProblems(logger, plan.problems, this.#problems);
    this.#problems = plan.problems;
    this.#unsettled = plan.unsettled;
    const reported = this.#apply(workloads);
    this.#files = { ...this.#files, inForce: told };
    if (!this.#swept) await this.#sweep();
    await this.#options.groups.keep();
    await writeLastWorkloads(this.#options, reported);
  }

  /**
   * A change of node or identity is another workload under the same name: the old one goes first. One whose group is not
   * known yet is reported, so that the server tells, and stays as it is: it is not started, or goes on. Returns what is
   * reported.
   */
  #apply(workloads: readonly Workload[]): readonly Workload[] {
    const { groups, health, registration } = this.#options;
    const wanted = new Map(workloads.map((workload) => [workloadId(workload), workload]));
    const served = new Map(workloads.map((workload) => [workloadId(workload), groups.served(workload)]));
    const going = [...this.#runners.values()].filter((runner) => {
      if (this.#retiring.has(runner)) return false;
      if (!wanted.has(runner.id)) runner.leave();
      const next = served.get(runner.id);
      return !wanted.has(runner.id) || (next !== undefined && !this.#sameNode(runner.workload, next));
    });
    this.#workloads = wanted;
    const serves = (workload: Workload): boolean =>
      this.#runners.has(workloadId(workload)) || groups.served(workload) !== undefined;
    const reported = health.report(workloads, this.#services, serves);
    registration.set(reported);
    for (const runner of going) void this.#retire(runner);
    for (const [id, workload] of served) if (workload !== undefined) this.#start(id, workload);
    this.changes.notify();
    return reported;
  }

  /** Whether the host has got, or lost, its route to the addresses that a workload calls. */
  async #vipsMoved(): Promise<boolean> {
    const used = [...this.#workloads.values()].find(({ vips }) => vips !== "none")?.vips;
    return used !== undefined && used !== (await this.#options.vips());
  }

  #lacksRunners(): boolean {
    const { groups } = this.#options;
    return [...this.#workloads].some(
      ([id, workload]) => !this.#runners.has(id) && groups.served(workload) !== undefined,
    );
  }

  #sameNode(a: Workload, b: Workload): boolean {
    const { domainSuffix } = this.#options;
    return (
      workloadNodeId(a, domainSuffix) === workloadNodeId(b, domainSuffix) &&
      a.serviceAccount === b.serviceAccount
    );
  }

  #start(id: WorkloadId, workload: Workload): void {
    // One that is still going is started again when it is gone.
    if (this.#tasks.has(id)) return;
    const runner = new WorkloadRunner(workload, this.#options);
    this.#runners.set(id, runner);
    this.#tasks.start(id, async (signal) => {
      try {
        await runner.run(signal);
      } finally {
        if (this.#runners.get(id) === runner) this.#runners.delete(id);
      }
    });
  }

  async #retire(runner: WorkloadRunner): Promise<void> {
    this.#retiring.add(runner);
    await this.#untilCallersKnow();
    await runner.drain();
    await this.#tasks.stop(runner.id);
    this.#retiring.delete(runner);
    this.#wake.raise();
  }

  /** Without a server nobody can be told, and waiting would help no one. */
  async #untilCallersKnow(): Promise<void> {
    const { registration, clock, settleMs } = this.#options;
    if (registration.state.kind !== "acknowledged" && registration.state.kind !== "reporting") return;
    await registration.acknowledged(AbortSignal.timeout(DEREGISTER_MS));
    await clock.sleep(settleMs, new AbortController().signal);
  }

  /** What agents before this one left of workloads that are gone: processes, keys. */
  async #sweep(): Promise<void> {
    this.#swept = true;
    const { clock, logger, runDir, stateDir } = this.#options;
    const runners = [...this.#runners.values()];
    try {
      const stopped = await stopStaleProcesses(
        runDir,
        new Set(runners.map(({ files }) => files.processRecord)),
        clock,
      );
      if (stopped.length > 0)
        logger.warn("stopped data planes of workloads that are gone", { pids: stopped });
      const keep = new Set(runners.map(({ files }) => files.state));
      const folder = join(stateDir, "workloads");
      for (const name of await readdir(folder).catch(() => [])) {
        if (!keep.has(join(folder, name))) await rm(join(folder, name), { recursive: true, force: true });
      }
    } catch (error) {
      logger.warn("could not clear away what was left of earlier workloads", { error: messageOf(error) });
    }
  }

  async #leaveAll(): Promise<void> {
    if (this.#options.released.aborted) {
      for (const runner of this.#runners.values()) runner.release();
      await this.#tasks.stopAll();
      return;
    }
    if (this.#runners.size > 0) {
      this.#options.registration.set([]);
      await this.#untilCallersKnow();
    }
    await Promise.all([...this.#runners.values()].map((runner) => runner.drain()));
    await this.#tasks.stopAll();
  }
}

function toProblem({ workload, error }: PlanProblem): AgentStatus["problems"][number] {
  const { code, message, hint = "" } = error;
  return { workload, code, severity: "error", message, hint };
}
