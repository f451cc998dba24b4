import type { Clock } from "../lifecycle/clock.ts";
import type { LogFields, Logger } from "../telemetry/logger.ts";
import type { DecidedCall, PolicyDecision } from "./policy-decision.ts";

/** Whoever is refused can ask again at once: what they make the log say is bounded. Metrics count them all. */
const MOST_LINES_A_SECOND = 20;

/**
 * Tells the operator who was refused by which policy, what AUDIT policies saw, and what a dry run would have refused.
 * `fields` are in each line.
 */
export function policyLog(
  logger: Logger,
  clock: Pick<Clock, "monotonic">,
  fields: LogFields = {},
): (decision: PolicyDecision, call: DecidedCall) => void {
  let second = 0;
  let lines = 0;
  let left = 0;
  return (decision, { client, from, at, method, path }) => {
    const sentence = sentenceOf(decision);
    if (sentence === undefined) return;
    const now = Math.floor(clock.monotonic() / 1000);
    if (now !== second) [second, lines] = [now, 0];
    if (lines >= MOST_LINES_A_SECOND) {
      left++;
      return;
    }
    lines++;
    const { policy } = decision;
    logger.info(sentence, {
      ...fields,
      policy,
      client,
      from,
      at,
      ...(method === "" ? {} : { method, path }),
      ...(left === 0 ? {} : { leftOut: left }),
    });
    left = 0;
  };
}

function sentenceOf({ result, enforced, authorizer }: PolicyDecision): string | undefined {
  switch (result) {
    case "audited":
      return "an AUDIT policy matched";
    case "denied":
      if (authorizer === "refused") return "refused by the authorizer that a policy has asked";
      if (authorizer === "silent")
        return "refused, for the authorizer that a policy has asked gave no answer";
      return enforced ? "refused by policy" : "a policy in dry run would refuse this";
    case "allowed":
      return undefined;
    default:
      return result satisfies never;
  }
}
