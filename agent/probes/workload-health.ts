import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import { type Workload, type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { LocalService } from "../discovery/discovery.ts";
import type { GroupSettings } from "../registration/group-settings.ts";
import { logNewProblems, type PlanProblem } from "../registration/plan-problem.ts";
import type { Changes } from "../state/changes.ts";
import { chooseProbes } from "./choose-probes.ts";
import type { Probes } from "./probes.ts";
import { UNASKED, type Verdict } from "./verdict.ts";

export interface WorkloadHealthOptions {
  readonly groups: GroupSettings;
  readonly probes: Probes;
  /** Whether a WorkloadGroup may have commands run on this host. */
  readonly groupsMayExec: boolean;
  readonly logger: Logger;
}

/** Whether workloads are endpoints: what their source says of them, and what their probes find. */
export class WorkloadHealth {
  readonly #options: WorkloadHealthOptions;
  #problems: readonly PlanProblem[] = [];
  /** What was reported last; not settled: by an agent before this one, and nobody looked since. */
  #held: ReadonlyMap<WorkloadId, Pick<Verdict, "healthy" | "settled">> = new Map();

  constructor(options: WorkloadHealthOptions) {
    this.#options = options;
  }

  /** Notified when a probe finds otherwise than before. */
  get changes(): Changes {
    return this.#options.probes.changes;
  }

  /** Probes that are not run. */
  get problems(): readonly PlanProblem[] {
    return this.#problems;
  }

  /** Undefined: nobody asks its application. */
  verdict(id: WorkloadId): Verdict | undefined {
    return this.#options.probes.verdict(id);
  }

  /** Takes what an agent before this one reported. */
  remember(last: readonly Workload[]): void {
    this.#held = new Map(last.map((one) => [workloadId(one), { healthy: one.healthy, settled: false }]));
  }

  /**
   * The workloads as the server is to be told of them. Their applications are asked from now on as `services`, or their
   * groups, say. One that does not serve yet is nobody's endpoint: there may be a probe to pass that is not known yet.
   */
  report(
    workloads: readonly Workload[],
    services: readonly LocalService[] | undefined,
    serves: (workload: Workload) => boolean,
  ): readonly Workload[] {
    this.#ask(workloads, services ?? []);
    const reported = workloads.map((workload) => {
      const ready = this.verdict(workloadId(workload))?.healthy ?? true;
      return { ...workload, healthy: workload.healthy && serves(workload) && ready };
    });
    const settled = services !== undefined;
    this.#held = new Map(reported.map((one) => [workloadId(one), { healthy: one.healthy, settled }]));
    return reported;
  }

  async stop(): Promise<void> {
    await this.#options.probes.stop();
  }

  #ask(workloads: readonly Workload[], services: readonly LocalService[]): void {
    const { groups, groupsMayExec, logger, probes } = this.#options;
    const own = new Map(
      services.flatMap(({ id, namespace, probe }) =>
        probe === undefined ? [] : [[workloadId({ namespace, name: id }), probe]],
      ),
    );
    const ofGroup = (workload: Workload): ReadinessProbe | undefined => groups.of(workload)?.probe;
    const chosen = chooseProbes(workloads, { own, ofGroup, groupsMayExec });
    logNewProblems(logger, chosen.problems, this.#problems);
    this.#problems = chosen.problems;
    const asked = [...chosen.probes].map(
      ([id, one]) => [id, { ...one, before: this.#held.get(id) ?? UNASKED }] as const,
    );
    probes.set(new Map(asked));
  }
}
