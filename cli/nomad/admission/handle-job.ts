import type { IncomingMessage, ServerResponse } from "node:http";
import type { Gate } from "../../../mesh/blocking/gate.ts";
import { messageOf } from "../../../mesh/errors.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { type AdmissionRules, admitJob, type Refusal, type Verdict } from "./admit.ts";
import { readBody } from "./body.ts";
import type { AdmissionConfig } from "./config.ts";
import { endToEnd, without } from "./headers.ts";
import type { NomadTarget } from "./nomad-target.ts";
import { answerInto, refuse } from "./relay.ts";
import { judgeRevert } from "./revert.ts";

export interface JobDeps {
  readonly rules: AdmissionRules;
  readonly limits: AdmissionConfig["limits"];
  readonly target: NomadTarget;
  readonly logger: Logger;
  readonly versionsGate: Gate;
}

/**
 * Judges a request that registers a job, and sends on what was judged. Whatever goes wrong on the way, the request that
 * came does not reach Nomad. Returns when it is decided; the answer may still be on its way.
 */
export async function handleJob(
  kind: "job" | "revert",
  message: IncomingMessage,
  response: ServerResponse,
  deps: JobDeps,
): Promise<void> {
  const { limits, target, logger } = deps;
  const body = await readBody(message, { bytes: limits.jobBytes, ms: limits.jobSeconds * 1_000 });
  if (body.kind === "problem") return refuse(response, body.status, body.reason, { Connection: "close" });
  const verdict = await judge(kind, message, body.text, deps);
  const [path = ""] = (message.url ?? "").split("?", 1);
  const told = { path, job: verdict.job, namespace: verdict.namespace };
  if (verdict.kind === "refused") {
    logger.warn("a job was refused", { ...told, reasons: verdict.reasons });
    return refuse(response, verdict.status, verdict.reasons.join("\n"));
  }
  const injected = verdict.groups.flatMap(({ kind, group }) => (kind === "injected" ? [group] : []));
  logger.info("a job was let through", { ...told, injected, warnings: verdict.warnings });
  const bytes = Buffer.from(verdict.body);
  const headers = without(endToEnd(message.rawHeaders), "content-length", "content-encoding", "expect");
  const ask = target.open({
    method: message.method ?? "PUT",
    path: `${path}${verdict.query}`,
    headers: [...headers, "Content-Length", String(bytes.length)],
    answerMs: limits.answerSeconds * 1_000,
  });
  answerInto(response, ask, target);
  ask.end(bytes);
}

async function judge(
  kind: "job" | "revert",
  message: IncomingMessage,
  text: string,
  deps: JobDeps,
): Promise<Verdict> {
  try {
    const [, query = ""] = (message.url ?? "").split(/\?(.*)/s, 2);
    if (kind === "job") return admitJob(text, query, deps.rules);
    return await judgeRevert({ message, text, query, ...deps });
  } catch (error) {
    return unjudged(messageOf(error));
  }
}

function unjudged(reason: string): Refusal {
  return {
    kind: "refused",
    status: 400,
    reasons: [`it cannot be judged: ${reason}`],
    job: "",
    namespace: "",
  };
}
