import { errorAt, type FieldPath, type Finding, quoted } from "../../../mesh/model/finding.ts";
import type { GroupOutcome, Injection } from "../inject/inject.ts";
import { networkMode } from "../inject/sidecar-driver.ts";
import { wordsOf } from "../inject/words.ts";
import type { NomadService, Task, TaskGroup } from "../job/job.ts";
import { parseJob } from "../job/parse-job.ts";
import { judgeTask } from "./judge-task.ts";
import { matchesAny, type Rule } from "./policy.ts";

export interface JudgedJob {
  /** The job as it was before is judged: what a sidecar needs is not held against it. */
  readonly injection: Injection;
  /** The one that it will be registered in. */
  readonly namespace: string;
  readonly rule: Rule;
}

/** What a rule has against a job; empty: it may be registered. What cannot be told before a client runs it counts as forbidden. */
export function judgeJob({ injection, namespace, rule }: JudgedJob): readonly Finding[] {
  const { parsed: job, groups } = injection;
  const facts = { job: job.id, namespace };
  const registered = injection.job === job.raw ? job : parseJob(injection.job, job.path, []);
  return [
    ...judgeWords(job.meta, [], [...job.path, "Meta"], rule, facts),
    ...job.groups.flatMap((group) => [
      ...judgeWords(group.meta, [], [...group.path, "Meta"], rule, { ...facts, group: group.name }),
      ...group.services.flatMap((service) => judgeService(service, rule, { ...facts, group: group.name })),
      ...tasksOf(group).flatMap((task) => judgeTask(task, group, rule.forbid)),
    ]),
    ...registered.groups.flatMap((group) =>
      group.services.flatMap((service) => judgeName(service, rule, { ...facts, group: group.name })),
    ),
    ...(rule.injection === "required" ? judgeOutcomes(job.groups, groups) : []),
  ];
}

/** Those of the job, and those that Nomad adds for Consul's mesh. It puts a gateway into its group's host network. */
function tasksOf(group: TaskGroup): readonly Task[] {
  const added = group.services.flatMap(({ connect, connectTask: task }) => {
    if (task === undefined) return [];
    const hosted = connect === "gateway" && networkMode(group) === "host";
    return [hosted ? { ...task, config: { network_mode: "host", ...task.config } } : task];
  });
  return [...group.tasks, ...added];
}

type Facts = Readonly<Record<string, string>>;

function judgeService(service: NomadService, rule: Rule, facts: Facts): readonly Finding[] {
  const { path, name, tags, meta, canaryTags, canaryMeta } = service;
  const found = [
    ...judgeWords(meta, tags, path, rule, facts),
    ...judgeWords(canaryMeta, canaryTags, path, rule, facts),
  ];
  if (isAllowed(rule.identities.services, name, facts)) return found;
  return [...found, errorAt(path, `the service's name ${quoted(name)} is not one that the job may have`)];
}

/**
 * To an agent of node mode the name of a service that asks and says no account is its account. Of one in Nomad's own
 * catalog it sees the tags alone.
 */
function judgeName(service: NomadService, { identities }: Rule, facts: Facts): readonly Finding[] {
  const { path, name, tags, meta, canaryTags, canaryMeta, provider } = service;
  const shapes = [
    { tags, meta },
    { tags: canaryTags, meta: canaryMeta },
  ];
  const nameless = shapes.some(
    (shape) =>
      mayAsk(shape.tags, shape.meta) &&
      !wordsOf(shape.tags, provider === "nomad" ? {} : shape.meta).has("sa"),
  );
  if (!nameless || isAllowed(identities.serviceAccounts, name, facts)) return [];
  return [
    errorAt(
      path,
      `its name ${quoted(name)} would be its service account, which is not one that the job may have: say lateen.sa=…`,
    ),
  ];
}

/** Whether an agent of node mode may take a service with these. */
function mayAsk(tags: readonly string[], meta: Readonly<Record<string, string>>): boolean {
  return (
    tags.some((tag) => /^lateen\.inject=(?!\s*false\s*$)/.test(tag) || mayBecome(tag, ["lateen.inject="])) ||
    Object.entries(meta).some(
      ([key, word]) =>
        (key === "lateen-inject" && word.trim() !== "false") || mayBecomeKey(key, ["lateen-inject"]),
    )
  );
}

function judgeWords(
  meta: Readonly<Record<string, string>>,
  tags: readonly string[],
  path: FieldPath,
  { identities }: Rule,
  facts: Facts,
): readonly Finding[] {
  const claims = [
    { word: "sa", allowed: identities.serviceAccounts, what: "service account" },
    { word: "namespace", allowed: identities.namespaces, what: "namespace of the mesh" },
  ];
  // What is said twice counts twice: which of the two an agent would take is not for this place to know.
  const said = [...tags.map((tag) => wordsOf([tag], {})), wordsOf([], meta)];
  const free = claims.every(({ allowed }) => allowed.includes("*"));
  const hidden = free
    ? []
    : [
        ...tags.filter((tag) => mayBecome(tag, TAG_CLAIMS)),
        ...Object.keys(meta).filter((key) => mayBecomeKey(key, META_CLAIMS)),
      ];
  const told = claims.flatMap(({ word, allowed, what }) =>
    said.flatMap((words) => {
      const name = words.get(word);
      if (name === undefined || isAllowed(allowed, name, facts)) return [];
      return [errorAt(path, `the ${what} ${quoted(name)} is not one that the job may have`)];
    }),
  );
  return [...told, ...hidden.map((text) => errorAt(path, `${quoted(text)} may become anybody's identity`))];
}

const TAG_CLAIMS: readonly string[] = ["lateen.sa=", "lateen.namespace="];
const META_CLAIMS: readonly string[] = ["lateen-sa", "lateen-namespace"];

/**
 * Whether a text may begin with one of the claims once a client has filled in its variables. Nobody but the client knows
 * what they come to: what it does not know is nothing at all, and a variable of the job goes before one of the node.
 */
function mayBecome(text: string, claims: readonly string[]): boolean {
  const at = text.indexOf("${");
  if (at === -1) return false;
  const head = text.slice(0, at);
  return claims.some((claim) => claim.startsWith(head));
}

/** Likewise for a key, which has to be the claim to its end. */
function mayBecomeKey(key: string, claims: readonly string[]): boolean {
  const tail = key.slice(key.lastIndexOf("}") + 1);
  return mayBecome(
    key,
    claims.filter((claim) => claim.endsWith(tail)),
  );
}

/** A name that only a client knows (`${meta.x}`) is every name. */
function isAllowed(patterns: readonly string[], name: string, facts: Facts): boolean {
  return name.includes("${") ? patterns.includes("*") : matchesAny(patterns, name, facts);
}

function judgeOutcomes(groups: readonly TaskGroup[], outcomes: readonly GroupOutcome[]): readonly Finding[] {
  return outcomes.flatMap((outcome, index) => {
    if (outcome.kind !== "left" || !outcome.declined) return [];
    return [errorAt(groups[index]?.path ?? [], `must be of the mesh: ${outcome.why}`)];
  });
}
