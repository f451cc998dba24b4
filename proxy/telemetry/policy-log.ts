import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { PolicyRecord } from "./records.ts";

/** Whoever is refused can ask again at once: what they make the log say is bounded. Metrics count them all. */
const MOST_LINES_A_SECOND = 20;

/** Tells the operator who was refused by which policy, what AUDIT policies saw, and what a dry run would have refused. */
export function policyLog(logger: Logger, clock: Clock): (record: PolicyRecord) => void {
  let second = 0;
  let lines = 0;
  let left = 0;
  return (record) => {
    const sentence = sentenceOf(record);
    if (sentence === undefined) return;
    const now = Math.floor(clock.monotonic() / 1000);
    if (now !== second) [second, lines] = [now, 0];
    if (lines >= MOST_LINES_A_SECOND) {
      left++;
      return;
    }
    lines++;
    const { policy, method, path, ends } = record;
    logger.info(sentence, {
      policy,
      client: ends.clientId ?? "",
      from: ends.remoteAddress,
      at: ends.localAddress,
      ...(method === "" ? {} : { method, path }),
      ...(left === 0 ? {} : { leftOut: left }),
    });
    left = 0;
  };
}

function sentenceOf({ action, shadow, allowed, matched }: PolicyRecord): string | undefined {
  if (action === "LOG") return matched ? "an AUDIT policy matched" : undefined;
  if (allowed) return undefined;
  return shadow ? "a policy in dry run would refuse this" : "refused by policy";
}
