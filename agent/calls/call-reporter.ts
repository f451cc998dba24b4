import { agentService } from "../../mesh/agent-api/services.ts";
import type { CountedCalls } from "../../mesh/calls/call-kind.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { ObservedCall, WorkloadCalls } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import type { ServerChannel } from "../identity/channel.ts";
import { callUnary, isRefusal, serverSaid } from "../identity/unary-call.ts";
import type { ObservedCalls } from "./observed-calls.ts";

export interface CallReporterOptions {
  readonly calls: ObservedCalls;
  readonly channel: Pick<ServerChannel, "client">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Time between two reports; agents that start together do not report together. */
const EVERY_MS = { least: 10_000, spread: 5_000 } as const;
/** Kinds of calls in one report: some hundred kilobytes at most. */
const MOST_REPORTED = 1000;

/**
 * Tells the server which calls came to the workloads of this host, when there were any. What a server that cannot be
 * reached is not told is lost: it is a record of what is usual, and nobody waits for it.
 */
export class CallReporter {
  readonly #options: CallReporterOptions;

  constructor(options: CallReporterOptions) {
    this.#options = options;
  }

  /** Until the signal is aborted; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(EVERY_MS.least + random() * EVERY_MS.spread, signal);
      if (!signal.aborted) await this.report(signal);
    }
  }

  /** Tells what is new, in as many reports as it takes. */
  async report(signal: AbortSignal): Promise<void> {
    const { channel, calls, logger } = this.#options;
    for (const workloads of reportsOf(calls)) {
      try {
        const { refusals } = await callUnary(channel.client, agentService.reportCalls, { workloads }, signal);
        for (const refusal of refusals) logger.warn("the server refuses a report of calls", { ...refusal });
      } catch (error) {
        const fields = { reason: serverSaid(error) };
        if (isRefusal(error)) logger.warn("the server refuses the report of calls", fields);
        else logger.debug("could not report calls", fields);
        return;
      }
    }
  }
}

function* reportsOf(calls: ObservedCalls): Generator<WorkloadCalls[]> {
  let report: WorkloadCalls[] = [];
  let size = 0;
  for (const [workload, tally] of calls.take()) {
    let { leftOut } = tally;
    for (let at = 0; at < tally.calls.length || leftOut > 0; ) {
      const part = tally.calls.slice(at, at + MOST_REPORTED - size);
      report.push({ workload, calls: part.map(toMessage), leftOut });
      at += part.length;
      size += part.length;
      leftOut = 0;
      if (size < MOST_REPORTED) continue;
      yield report;
      [report, size] = [[], 0];
    }
  }
  if (report.length > 0) yield report;
}

function toMessage({ precision, protocol, ...calls }: CountedCalls): ObservedCall {
  return { ...calls, precision, protocol };
}
