import { Counter } from "prom-client";
import type { LoggedDecisions } from "../../mesh/calls/logged-decisions.ts";
import { decisionLabels, POLICY_DECISIONS } from "../../mesh/calls/policy-decision.ts";
import { policyLog } from "../../mesh/calls/policy-log.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";

/** Series of one agent: what policies there are is up to the operator, and how many names a proxy makes up is not. */
const MOST_SERIES = 10_000;

/**
 * What policies decided in the Envoys of this host: the same metric and the same log lines that the built-in proxy has of
 * its own decisions, by workload.
 */
export class PolicyDecisions {
  readonly counter = new Counter({
    ...POLICY_DECISIONS,
    labelNames: ["workload", ...POLICY_DECISIONS.labelNames],
    registers: [],
  });
  readonly #series = new Set<string>();
  /** One for each workload: who is refused at one does not silence another. */
  readonly #logs = new Map<WorkloadId, ReturnType<typeof policyLog>>();
  readonly #logger: Logger;
  readonly #clock: Clock;

  constructor({ logger, clock }: { readonly logger: Logger; readonly clock: Clock }) {
    this.#logger = logger.child("envoy");
    this.#clock = clock;
  }

  add(workload: WorkloadId, { call, decisions }: LoggedDecisions): void {
    for (const decision of decisions) {
      this.#count({ workload, ...decisionLabels(decision) });
      this.#logOf(workload)(decision, call);
    }
  }

  #logOf(workload: WorkloadId): ReturnType<typeof policyLog> {
    const log = this.#logs.get(workload) ?? policyLog(this.#logger, this.#clock, { workload });
    this.#logs.set(workload, log);
    return log;
  }

  #count(labels: Readonly<Record<"workload" | keyof ReturnType<typeof decisionLabels>, string>>): void {
    const series = JSON.stringify(labels);
    const isRoom = this.#series.has(series) || this.#series.size < MOST_SERIES;
    if (isRoom) this.#series.add(series);
    this.counter.inc(isRoom ? { ...labels } : { ...labels, policy: "(others)" });
  }
}
