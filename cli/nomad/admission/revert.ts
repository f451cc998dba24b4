import type { IncomingMessage } from "node:http";
import type { Gate } from "../../../mesh/blocking/gate.ts";
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
  /** Versions are large: they are in memory for as many requests at a time as go through it. */
  readonly versionsGate: Gate;
}

const BODY = ["JobID", "JobVersion", "Stable", "Namespace", "Region", "SecretID"];
/** Nomad keeps six versions of a job unless it is told otherwise. */
const LARGEST_VERSIONS_BYTES = 64 << 20;

/**
 * A revert registers a version that Nomad has, from before today's rules maybe, and a version that is marked as stable is
 * what a failed deployment goes back to. The version is asked for with the
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
  const unmarked = body.has("Stable") && !body.flag("Stable");
  if (!unmarked) {
    problems.push(
      ...(await revert.versionsGate.run(async () => {
        if (message.socket.destroyed) throw new Error("the client has left");
        const stored = await storedVersion(revert, job, version, parameters);
        return judgeVersion(stored, version, namespace, rules);
      })),
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

function judgeVersion(
  stored: unknown,
  version: number,
  namespace: string,
  { rules, sidecar }: AdmissionRules,
): readonly Finding[] {
  const rule = ruleFor(namespace, rules);
  const injection = injectFor(rule, stored, sidecar);
  const found = [...injection.problems, ...judgeJob({ injection, namespace, rule })];
  if (includes(stored, injection.job)) return found;
  return [
    ...found,
    errorAt([], `version ${version} has not the sidecars that it would get now: register the job again`),
  ];
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
