import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import type { Workload } from "../../mesh/model/workload.ts";
import { checkPlace } from "./check-place.ts";
import { execCheck } from "./exec-check.ts";
import { grpcCheck } from "./grpc-check.ts";
import { httpCheck } from "./http-check.ts";
import type { Outcome } from "./outcome.ts";
import { tcpCheck } from "./tcp-check.ts";

export interface CheckOptions {
  readonly loopback: string;
  /** Of the commands that probes run. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Longer waits than Node's timers have; nobody asks for less than a month. */
const LONGEST_MS = 2 ** 31 - 1;
const MOST_REASON = 300;

/** Asks an application once. Resolves within the probe's time, or soon after the signal is aborted. Never rejects. */
export async function runCheck(
  { check, timeoutMs }: ReadinessProbe,
  workload: Pick<Workload, "ports" | "interception">,
  options: CheckOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const late = AbortSignal.timeout(Math.min(timeoutMs, LONGEST_MS));
  const outcome = await ask(check, workload, options, AbortSignal.any([signal, late]));
  if (outcome.ok) return outcome;
  if (late.aborted) return { ok: false, reason: `no answer within ${timeoutMs} ms` };
  return { ok: false, reason: outcome.reason.slice(0, MOST_REASON) };
}

async function ask(
  check: ReadinessProbe["check"],
  workload: Pick<Workload, "ports" | "interception">,
  { loopback, environment }: CheckOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  switch (check.kind) {
    case "http":
      return httpCheck(check, checkPlace(workload, check, loopback), signal);
    case "tcp":
      return tcpCheck(checkPlace(workload, check, loopback), signal);
    case "grpc":
      return grpcCheck(check.service, checkPlace(workload, { host: "", port: check.port }, loopback), signal);
    case "exec":
      return execCheck(check.command, environment, signal);
    default:
      return check satisfies never;
  }
}
