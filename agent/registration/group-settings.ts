import { join } from "node:path";
import * as z from "zod";
import { parseProbeMessage } from "../../mesh/agent-api/probe-message.ts";
import { messageOf } from "../../mesh/errors.ts";
import { isSpiffeSegment } from "../../mesh/identity/spiffe-id.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import { type Workload, type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type * as wire from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { Changes } from "../state/changes.ts";
import { quarantine, readPrivate, writePrivate } from "../state/private-files.ts";

/** What a workload is with what its WorkloadGroup says, as the server told it. */
export interface GroupFacts {
  readonly group: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly probe: ReadinessProbe | undefined;
  /** Why it is not as its group says now; empty: it is. */
  readonly problem: string;
}

const probe = z.looseObject({}).transform((message, context) => {
  const parsed = parseProbeMessage(message as unknown as wire.Probe);
  if (parsed !== undefined) return parsed;
  context.issues.push({ code: "custom", message: "is no probe that this agent can run", input: message });
  return z.NEVER;
});

const schema = z.object({
  workload: z.string(),
  group: z.string(),
  serviceAccount: z.string().refine(isSpiffeSegment, "cannot be part of an identity"),
  labels: z.record(z.string(), z.string()),
  probe: probe.optional(),
  problem: z.string(),
});

export interface GroupSettingsOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * What the server says of the workloads of this host that name a WorkloadGroup. It is kept on disk, so that an outage of
 * the server and a restart of the agent change nothing.
 */
export class GroupSettings {
  /** Notified when something is said otherwise. */
  readonly changes: Changes = new Changes();
  readonly #options: GroupSettingsOptions;
  #messages: ReadonlyMap<WorkloadId, wire.GroupSettings> = new Map();
  #facts: ReadonlyMap<WorkloadId, GroupFacts> = new Map();
  #kept = "[]";

  constructor(options: GroupSettingsOptions) {
    this.#options = options;
  }

  /** What is known of a workload's group; undefined: nothing yet. */
  of(workload: Workload): GroupFacts | undefined {
    const facts = this.#facts.get(workloadId(workload));
    return facts?.group === workload.group?.name ? facts : undefined;
  }

  /** The workload as its group makes it; undefined while that is not known. */
  served(workload: Workload): Workload | undefined {
    if (workload.group === undefined) return workload;
    const facts = this.of(workload);
    return facts && { ...workload, serviceAccount: facts.serviceAccount, labels: facts.labels };
  }

  /** Takes an answer of the server to a report of these workloads. Of those that it refuses, what it said last stays. */
  take(answer: readonly wire.GroupSettings[], reported: readonly Workload[]): void {
    const told = new Map(answer.map((message) => [message.workload, message]));
    const messages = new Map<WorkloadId, wire.GroupSettings>();
    for (const { group, ...workload } of reported) {
      const id = workloadId(workload);
      const message = told.get(id) ?? this.#messages.get(id);
      if (message !== undefined && message.group === group?.name) messages.set(id, message);
    }
    if (JSON.stringify([...messages]) === JSON.stringify([...this.#messages])) return;
    this.#set(messages);
    this.changes.notify();
  }

  /** Reads what an agent before this one kept. A file that cannot be used is put aside. */
  async load(): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      const text = await readPrivate(this.#path);
      if (text === undefined) return;
      const kept = z.array(z.looseObject({ workload: z.string() })).parse(JSON.parse(text));
      this.#set(new Map(kept.map((one) => [one.workload, one as unknown as wire.GroupSettings])));
      this.#kept = text;
    } catch (error) {
      const aside = await quarantine(this.#path, clock.now()).catch(() => "nowhere");
      logger.warn("what WorkloadGroups said last cannot be read from disk and was put aside", {
        aside,
        error: messageOf(error),
      });
    }
  }

  /** Keeps what is known now for the next start. A disk that is full is told about and changes nothing else. */
  async keep(): Promise<void> {
    const text = JSON.stringify([...this.#messages.values()]);
    if (text === this.#kept) return;
    try {
      await writePrivate(this.#path, text);
      this.#kept = text;
    } catch (error) {
      this.#options.logger.error("could not keep on disk what WorkloadGroups say", {
        error: messageOf(error),
      });
    }
  }

  get #path(): string {
    return join(this.#options.stateDir, "groups.json");
  }

  #set(messages: ReadonlyMap<WorkloadId, wire.GroupSettings>): void {
    const { logger } = this.#options;
    const facts = new Map<WorkloadId, GroupFacts>();
    for (const [id, message] of messages) {
      const before = this.#facts.get(id);
      const parsed = schema.safeParse(message);
      if (parsed.success) facts.set(id, { ...parsed.data, probe: parsed.data.probe });
      else {
        const [issue] = parsed.error.issues;
        logger.error("what the server says of a workload's group cannot be used, what it said last stays", {
          workload: id,
          problem: `${issue?.path.join(".")} ${issue?.message}`,
        });
        if (before !== undefined) facts.set(id, before);
      }
      const problem = facts.get(id)?.problem ?? "";
      if (problem !== "" && problem !== before?.problem)
        logger.warn("a workload is not as its group says", { workload: id, problem });
    }
    this.#messages = messages;
    this.#facts = facts;
  }
}
