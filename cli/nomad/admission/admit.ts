import { errorAt, type Finding, formatPath } from "../../../mesh/model/finding.ts";
import { type GroupOutcome, type Injection, injectJob, parseBareJob } from "../inject/inject.ts";
import type { SidecarSettings } from "../inject/settings.ts";
import { Fields } from "../job/fields.ts";
import { parseJson, printJson } from "../job/lossless-json.ts";
import { parseJob } from "../job/parse-job.ts";
import { judgeJob } from "../policy/judge-job.ts";
import { type Rule, ruleFor } from "../policy/policy.ts";

export interface AdmissionRules {
  readonly rules: readonly Rule[];
  readonly sidecar: SidecarSettings;
}

/** The verdict on one request that carries a job. */
export type Verdict =
  | {
      readonly kind: "admitted";
      readonly body: string;
      /** With its `?`, or empty. */
      readonly query: string;
      readonly job: string;
      readonly namespace: string;
      readonly groups: readonly GroupOutcome[];
      readonly warnings: readonly string[];
    }
  | Refusal;

export interface Refusal {
  readonly kind: "refused";
  /** 400: cannot be judged; 403: judged, and forbidden. */
  readonly status: 400 | 403;
  /** Each a place in the body and what is wrong there. */
  readonly reasons: readonly string[];
  readonly job: string;
  readonly namespace: string;
}

const BODY = ["Job", "Namespace", "Region", "SecretID"];

/**
 * Judges a registration, plan or validation, and gives the body that Nomad is to see. Pure. Nothing of the original text
 * goes on: what was judged is written anew, with one namespace in every place where Nomad looks for it, so that two
 * readings of one text cannot differ.
 */
export function admitJob(text: string, query: string, { rules, sidecar }: AdmissionRules): Verdict {
  const problems: Finding[] = [];
  const body = parseBody(text, problems);
  if (body === undefined) return refusal(400, problems, "", "");
  const parameters = new URLSearchParams(query);
  const job = body.raw["Job"];
  const ownNamespace = parseBareJob(job, ["Job"], []).namespace;
  const namespace = parameters.get("namespace") || body.text("Namespace") || ownNamespace || "default";
  const rule = ruleFor(namespace, rules);
  const injection = injectFor(rule, job, sidecar);
  const { parsed, groups } = injection;
  problems.push(...injection.problems);
  if (problems.some(isError)) return refusal(400, problems, parsed.id, namespace);
  const forbidden = judgeJob({ injection, namespace, rule });
  if (forbidden.length > 0) return refusal(403, forbidden, parsed.id, namespace);
  parameters.set("namespace", namespace);
  return {
    kind: "admitted",
    body: printJson({ ...body.raw, Namespace: namespace, Job: { ...injection.job, Namespace: namespace } }),
    query: `?${parameters.toString()}`,
    job: parsed.id,
    namespace,
    groups,
    warnings: problems.map(toLine),
  };
}

/**
 * What the rule's injection makes of a job. With `off` the job as it is, and then tasks that say that an injection made
 * them are anybody's.
 */
export function injectFor(rule: Rule, job: unknown, settings: SidecarSettings): Injection {
  if (rule.injection === "off") {
    const problems: Finding[] = [];
    const parsed = parseJob(job, ["Job"], problems);
    return { job: job as Injection["job"], parsed, groups: [], problems };
  }
  const mode = rule.injection === "asked" ? "asked" : "all";
  return injectJob(job, { mode, settings, path: ["Job"] });
}

export function refusal(
  status: Refusal["status"],
  findings: readonly Finding[],
  job: string,
  namespace: string,
): Refusal {
  return { kind: "refused", status, reasons: findings.filter(isError).map(toLine), job, namespace };
}

/** The fields of a body; undefined with a problem when it is no JSON object. */
export function parseBody(
  text: string,
  problems: Finding[],
  known: readonly string[] = BODY,
): Fields | undefined {
  try {
    const value = parseJson(text);
    const before = problems.length;
    const fields = new Fields(value, [], known, problems);
    return problems.length > before ? undefined : fields;
  } catch {
    problems.push(errorAt([], "the body is no JSON"));
    return undefined;
  }
}

function isError({ severity }: Finding): boolean {
  return severity === "error";
}

function toLine({ path, message }: Finding): string {
  return path.length === 0 ? message : `${formatPath(path)}: ${message}`;
}
