import type { ServerDuplexStream } from "@grpc/grpc-js";
import { toGroupSettings } from "../../mesh/agent-api/group-settings.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { type Workload, type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { ReportResult, WorkloadReport } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { type Admission, admitWorkload } from "../attest/admit-workload.ts";
import type { AgentRecord } from "../attest/agent-records.ts";
import type { BanTarget } from "../ca/bans.ts";
import type { AgentServiceDeps } from "./agent-service.ts";
import { type Grouped, judgeGroup } from "./apply-group.ts";
import { messagesOf, NewestAnswer } from "./calls.ts";
import { parseWorkloadReport, type RefusedWorkload } from "./parse-workload-report.ts";

export type RegisterCall = ServerDuplexStream<WorkloadReport, ReportResult>;

/** An open stream, and what it reported last. */
interface OpenRegistration {
  readonly replaced: AbortController;
  readonly call: RegisterCall;
  readonly answers: NewestAnswer<ReportResult>;
  report: WorkloadReport | undefined;
  /** What its newest answer says of worker threads. */
  concurrency: ReadonlyMap<WorkloadId, number>;
  /** What the log has of its newest answer: health that comes and goes must not fill it with the same. */
  logged: ReadonlySet<string>;
}

/** The Register streams: one an agent, the newest. */
export class Registrations {
  readonly #deps: AgentServiceDeps;
  readonly #streams = new Map<string, OpenRegistration>();

  constructor(deps: AgentServiceDeps) {
    this.#deps = deps;
  }

  async serve(call: RegisterCall, gone: AbortSignal): Promise<void> {
    const { id } = this.#deps.authenticator.authenticate(call);
    const replaced = new AbortController();
    const open: OpenRegistration = {
      replaced,
      call,
      answers: new NewestAnswer(call),
      report: undefined,
      concurrency: new Map(),
      logged: new Set(),
    };
    this.#streams.get(id)?.replaced.abort();
    this.#streams.set(id, open);
    const live = this.#deps.placements.connect(id);
    using stream = this.#deps.streams.open(id);
    try {
      const signal = AbortSignal.any([gone, replaced.signal, stream.signal]);
      for await (const report of messagesOf(call, signal)) {
        open.report = report;
        this.#answer(open, report);
        await open.answers.taken(signal);
      }
    } catch (error) {
      if (!replaced.signal.aborted) throw error;
      throw new MeshError(
        "object.conflict",
        `register the workloads of the agent ${id}: it opened a newer stream`,
      );
    } finally {
      live[Symbol.dispose]();
      if (this.#streams.get(id) === open) this.#streams.delete(id);
    }
  }

  /** Answers once more those who report a workload of an identity that was banned, or is no more. */
  judgeBanned({ kind, value }: BanTarget): void {
    if (kind !== "identity") return;
    this.#judgeAgain((agentId, report) => {
      // What a group says of a service account is in the placement alone.
      const placed = this.#deps.placements.ofAgent(agentId);
      return [...report.workloads, ...placed].some((workload) => this.#identityOf(workload) === value);
    });
  }

  /** Likewise those who report members of these groups. */
  judgeMembers(groups: ReadonlySet<string>): void {
    this.#judgeAgain((_, { workloads }) =>
      workloads.some(({ namespace, group }) => groups.has(`${namespace}/${group}`)),
    );
  }

  /** Likewise those who were told something else of a workload's data plane than holds now. */
  judgeSettings(): void {
    const { placements, settings } = this.#deps;
    this.#judgeAgain((agentId, _, { concurrency }) =>
      placements
        .ofAgent(agentId)
        .some((workload) => settings.concurrencyOf(workload) !== concurrency.get(workloadId(workload))),
    );
  }

  #judgeAgain(concerns: (agentId: string, report: WorkloadReport, open: OpenRegistration) => boolean): void {
    for (const [agentId, open] of this.#streams) {
      const { report } = open;
      if (report === undefined || !concerns(agentId, report, open)) continue;
      try {
        this.#answer(open, report);
      } catch (error) {
        this.#deps.log.warn("workloads not judged again", { reason: messageOf(error) });
      }
    }
  }

  #identityOf({ namespace, serviceAccount }: Pick<Workload, "namespace" | "serviceAccount">): string {
    return `spiffe://${this.#deps.ca.bundle.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  }

  #answer(open: OpenRegistration, report: WorkloadReport): void {
    const agent = this.#deps.authenticator.authenticate(open.call);
    const result = this.#accept(agent, report);
    const refused = result.refusals.map(({ workload, reason }) => ({
      message: "workload refused",
      fields: { workload, reason },
    }));
    const otherwise = result.groups.map(({ workload, problem: reason }) => ({
      message: "workload not as its group says",
      fields: { workload, reason },
    }));
    const logged = new Set<string>();
    for (const { message, fields } of [...refused, ...otherwise]) {
      if (fields.reason === "") continue;
      const line = JSON.stringify(fields);
      logged.add(line);
      if (!open.logged.has(line)) this.#deps.log.warn(message, { agentId: agent.id, ...fields });
    }
    open.logged = logged;
    open.concurrency = new Map(result.settings.map(({ workload, concurrency }) => [workload, concurrency]));
    open.answers.put(result);
  }

  #accept(agent: AgentRecord, report: WorkloadReport): ReportResult {
    const { bans, placements, settings: said, log } = this.#deps;
    const parsed = parseWorkloadReport(report);
    const refusals: RefusedWorkload[] = [...parsed.refusals];
    const admitted: Workload[] = [];
    const groups: ReportResult["groups"] = [];
    for (const reported of parsed.workloads) {
      const id = workloadId(reported);
      const judged = this.#judge(agent, reported);
      if (!judged.ok) {
        refusals.push({ workload: id, reason: judged.reason });
        continue;
      }
      const { workload, problem } = judged;
      // What is banned stays placed, so that it is known whose endpoint is not to be called.
      admitted.push(workload);
      const identity = this.#identityOf(workload);
      if (bans.has({ kind: "identity", value: identity })) {
        refusals.push({ workload: id, reason: `its identity ${identity} is banned` });
      }
      groups.push(...toGroupSettings(workload, problem));
    }
    refusals.push(...placements.replace(agent.id, admitted));
    log.debug("workloads registered", { agentId: agent.id, workloads: admitted.length });
    const settings = admitted.flatMap((workload) => {
      const concurrency = said.concurrencyOf(workload);
      return concurrency === undefined ? [] : [{ workload: workloadId(workload), concurrency }];
    });
    return { sequence: parsed.sequence, refusals, settings, groups };
  }

  #judge(agent: AgentRecord, workload: Workload): Grouped {
    const admit = (made: Workload): Admission => admitWorkload(agent, made);
    const { group, namespace } = workload;
    if (group === undefined) {
      const admission = admit(workload);
      return admission.ok ? { ok: true, workload, problem: undefined } : admission;
    }
    const placed = this.#deps.placements.get(workloadId(workload))?.group;
    const now = this.#deps.groups.get(namespace, group.name);
    const last = placed?.name === group.name ? placed.applied?.said : undefined;
    return judgeGroup(workload, group, { now, last }, admit);
  }
}
