import type { IncomingMessage } from "node:http";
import { errorAt, type Finding } from "../../../mesh/model/finding.ts";
import { isRecord } from "../job/fields.ts";
import { parseJson, printJson } from "../job/lossless-json.ts";
import { judgeJob } from "../policy/judge-job.ts";
import { ruleFor } from "../policy/policy.ts";
import { type AdmissionRules, injectFor, parseBody, refusal, type Verdict } from "./admit.ts";
import { readBody } from "./body.ts";
import { revertedJob } from "./classify.ts";
import type { AdmissionConfig } from "./config.ts";
import { includes } from "./includes.ts";
import type { NomadTarget } from "./nomad-target.ts";

export interface RevertRequest {
  readonly message: IncomingMessage;
  readonly text: string;
  readonly query: string;
  readonly rules: AdmissionRules;
  readonly limits: AdmissionConfig["limits"];
  readonly target: NomadTarget;
}

const BODY = ["JobID", "JobVersion", "Namespace", "Region", "SecretID"];
/** Nomad keeps six versions of a job unless it is told otherwise. */
const LARGEST_VERSIONS_BYTES = 64 << 20;

/**
 * A revert registers a version that Nomad has, from before today's rules maybe. The version is asked for with the
 * caller's own token and judged; one that would need a change now is refused, since a revert cannot change it.
 */
export async function judgeRevert(revert: RevertRequest): Promise<Verdict> {
  const { message, text, query, rules } = revert;
  const problems: Finding[] = [];
  const body = parseBody(text, problems, BODY);
  const job = revertedJob(message.url ?? "");
  if (body === undefined) return refusal(400, problems, job, "");
  const version = body.whole("JobVersion");
  const parameters = new URLSearchParams(query);
  const namespace = parameters.get("namespace") || body.text("Namespace") || "default";
  if (body.text("JobID") !== job) problems.push(errorAt(["JobID"], "is not the job of the path"));
  if (problems.length > 0) return refusal(400, problems, job, namespace);
  parameters.set("namespace", namespace);
  const stored = await storedVersion(revert, job, version, parameters);
  const rule = ruleFor(namespace, rules.rules);
  const injection = injectFor(rule, stored, rules.sidecar);
  problems.push(...injection.problems, ...judgeJob({ injection, namespace, rule }));
  if (!includes(stored, injection.job)) {
    problems.push(
      errorAt([], `version ${version} has not the sidecars that it would get now: register the job again`),
    );
  }
  if (problems.some(({ severity }) => severity === "error")) return refusal(403, problems, job, namespace);
  return {
    kind: "admitted",
    body: printJson({ ...body.raw, Namespace: namespace }),
    query: `?${parameters.toString()}`,
    job,
    namespace,
    groups: [],
    warnings: [],
  };
}

async function storedVersion(
  { message, target, limits }: RevertRequest,
  job: string,
  version: number,
  parameters: URLSearchParams,
): Promise<unknown> {
  const token = message.headers["x-nomad-token"];
  const authorization = message.headers.authorization;
  const answer = await ask(target, {
    path: `/v1/job/${encodeURIComponent(job)}/versions?${parameters.toString()}`,
    headers: [
      "Host",
      message.headers.host ?? "nomad",
      ...(typeof token === "string" ? ["X-Nomad-Token", token] : []),
      ...(authorization === undefined ? [] : ["Authorization", authorization]),
    ],
    answerMs: limits.answerSeconds * 1_000,
  });
  const versions = isRecord(answer) ? answer["Versions"] : undefined;
  const found = Array.isArray(versions)
    ? versions.find((stored: unknown) => isRecord(stored) && stored["Version"] === version)
    : undefined;
  if (found === undefined) throw new Error(`Nomad has no version ${version} of the job ${job}`);
  return found;
}

async function ask(
  target: NomadTarget,
  asked: { readonly path: string; readonly headers: readonly string[]; readonly answerMs: number },
): Promise<unknown> {
  const request = target.open({ method: "GET", ...asked });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once("response", resolve);
  request.on("error", reject);
  request.end();
  const answer = await promise;
  const body = await readBody(answer, { bytes: LARGEST_VERSIONS_BYTES, ms: asked.answerMs });
  if (body.kind === "problem") {
    request.destroy();
    throw new Error(`the versions of the job: ${body.reason}`);
  }
  if (answer.statusCode !== 200) {
    throw new Error(`Nomad answers ${answer.statusCode} to its versions: ${body.text.slice(0, 200)}`);
  }
  return parseJson(body.text);
}
