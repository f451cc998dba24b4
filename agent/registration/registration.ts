import { type ClientDuplexStream, Metadata } from "@grpc/grpc-js";
import { agentService } from "../../mesh/agent-api/services.ts";
import { messageOf } from "../../mesh/errors.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Workload, WorkloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { ReportResult, WorkloadReport } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import type { ServerChannel } from "../identity/channel.ts";
import { serverSaid } from "../identity/unary-call.ts";
import { Changes, Wake } from "../state/changes.ts";
import { orAborted } from "../state/or-aborted.ts";
import type { ConcurrencySettings } from "./concurrency-settings.ts";
import type { GroupSettings } from "./group-settings.ts";
import { toMessage } from "./workload-message.ts";

export type RegistrationState =
  /** Nothing is known yet: an empty report would take away what an earlier agent registered. */
  | { readonly kind: "nothing-to-report" }
  | { readonly kind: "disconnected"; readonly reason: string }
  | { readonly kind: "reporting"; readonly sequence: number }
  | { readonly kind: "acknowledged"; readonly sequence: number };

export interface RegistrationOptions {
  readonly groups: Pick<GroupSettings, "take">;
  readonly concurrency: Pick<ConcurrencySettings, "take">;
  readonly channel: Pick<ServerChannel, "client">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
}

const RECONNECT = { firstMs: 250, maxMs: 20_000 } as const;

/** Tells the server which workloads are on this host: the whole set, after each change and on each new stream. */
export class Registration {
  /** Notified after each answer of the server. */
  readonly changes: Changes = new Changes();
  readonly #options: RegistrationOptions;
  readonly #changed = new Wake();
  readonly #reconnect = new Wake();
  /** What the server is asked on the stream now; undefined: it has answered. */
  #open:
    | { readonly sequence: number; readonly workloads: readonly Workload[]; readonly answered: Wake }
    | undefined;
  #workloads: readonly Workload[] | undefined;
  #sequence = 0;
  #state: RegistrationState = { kind: "nothing-to-report" };
  #refusals: ReadonlyMap<WorkloadId, string> = new Map();

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** Why the server refuses a workload; undefined when it does not. */
  refusal(workload: WorkloadId): string | undefined {
    return this.#refusals.get(workload);
  }

  /** Reports another set. */
  set(workloads: readonly Workload[]): void {
    this.#workloads = workloads;
    this.#sequence += 1;
    if (this.#state.kind === "acknowledged") this.#state = { kind: "reporting", sequence: this.#sequence };
    this.#changed.raise();
  }

  /** Returns when the server has answered the newest report, or when the signal is aborted. */
  async acknowledged(signal: AbortSignal): Promise<void> {
    const done = (): boolean =>
      this.#state.kind === "acknowledged" && this.#state.sequence === this.#sequence;
    if (done()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.changes.subscribe(() => {
      if (done()) resolve();
    });
    await orAborted(promise, signal);
    stop();
  }

  /** A lost stream is opened again at once: the server is back. */
  retry(): void {
    if (this.#state.kind === "disconnected") this.#reconnect.raise();
  }

  /** Keeps a stream to the server until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, random } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      while (this.#workloads === undefined && !signal.aborted) await this.#changed.wait(signal);
      if (signal.aborted) return;
      const { reason, answered } = await this.#stream(signal);
      if (answered) attempt = 0;
      if (!signal.aborted) logger.debug("the registration stream ended", { reason });
      this.#state = { kind: "disconnected", reason };
      await this.#reconnect.waitFor(clock, backoffMs(RECONNECT, attempt, random()), signal);
    }
  }

  async #stream(signal: AbortSignal): Promise<{ readonly reason: string; readonly answered: boolean }> {
    const { path, requestSerialize, responseDeserialize } = agentService.register;
    const call: ClientDuplexStream<WorkloadReport, ReportResult> =
      this.#options.channel.client.makeBidiStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        new Metadata(),
        {},
      );
    const over = new AbortController();
    let reason = "the server ended the stream";
    let answered = false;
    call.on("data", (result: ReportResult) => {
      answered = true;
      this.#take(result);
    });
    call.on("error", (error: unknown) => {
      reason = serverSaid(error);
      over.abort();
    });
    call.on("end", () => over.abort());
    const either = AbortSignal.any([signal, over.signal]);
    while (!either.aborted) {
      this.#send(call);
      // One at a time: of changes that come faster than answers, the newest is told, and no answer is for nothing.
      await this.#open?.answered.wait(either);
      await this.#changed.wait(either);
    }
    this.#open = undefined;
    call.cancel();
    return { reason, answered };
  }

  #send(call: ClientDuplexStream<WorkloadReport, ReportResult>): void {
    const sequence = this.#sequence;
    const workloads = this.#workloads ?? [];
    try {
      call.write({ sequence, workloads: workloads.map(toMessage) });
      this.#open = { sequence, workloads, answered: new Wake() };
      this.#state = { kind: "reporting", sequence };
    } catch (error) {
      this.#open = undefined;
      this.#options.logger.error("could not report the workloads", { error: messageOf(error) });
    }
  }

  /** Of the report that it is asked, and once more of the same when the server judges it again. */
  #take({ sequence, refusals, settings, groups }: ReportResult): void {
    if (sequence !== this.#open?.sequence) return;
    this.#options.groups.take(groups, this.#open.workloads);
    const before = this.#refusals;
    this.#refusals = new Map(refusals.map(({ workload, reason }) => [workload, reason]));
    this.#options.concurrency.take(settings, this.#open.workloads, this.#refusals);
    for (const [workload, reason] of this.#refusals) {
      if (before.get(workload) === reason) continue;
      this.#options.logger.error("the server refuses a workload", { workload, reason });
    }
    if (sequence === this.#sequence) this.#state = { kind: "acknowledged", sequence };
    this.#open.answered.raise();
    this.changes.notify();
  }
}
