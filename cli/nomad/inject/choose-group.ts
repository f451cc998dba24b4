import { errorAt, type Finding, quoted, warningAt } from "../../../mesh/model/finding.ts";
import type { NomadJob, NomadService, TaskGroup } from "../job/job.ts";
import { isInjected, SIDECAR_TASK } from "./marks.ts";

/** `asked`: what says `lateen.inject=true`; `all`: every service with a port that does not say false. */
export type InjectionMode = "asked" | "all";

/** What is to become of a group. */
export type GroupChoice =
  /** Without services, what it calls is all that goes through the mesh. */
  | { readonly kind: "inject"; readonly services: readonly NomadService[] }
  /** `why` ends a sentence: `the group app says lateen-inject=false`. `declined`: it could be injected and is not. */
  | { readonly kind: "leave"; readonly why: string; readonly declined: boolean }
  /** The problems say why. */
  | { readonly kind: "refuse" };

const INJECT_META = "lateen-inject";
const INJECT_TAG = "lateen.inject";

/**
 * Whether a group gets a sidecar, and for which of its services. Metadata of the group, else of the job, speaks for the
 * group (`lateen-inject`); a service's tag or metadata for the service. What contradicts itself or cannot be is added
 * to `problems`.
 */
export function chooseGroup(
  job: NomadJob,
  group: TaskGroup,
  mode: InjectionMode,
  problems: Finding[],
): GroupChoice {
  const wrong: Finding[] = [];
  const choice = choose(job, group, mode, wrong);
  problems.push(...wrong);
  return wrong.some(({ severity }) => severity === "error") ? { kind: "refuse" } : choice;
}

function choose(job: NomadJob, group: TaskGroup, mode: InjectionMode, wrong: Finding[]): GroupChoice {
  const said = groupWord(job, group, wrong);
  const words = group.services.map((service) => ({ service, word: serviceWord(service, wrong) }));
  const asking = words.filter(({ word }) => word === true).map(({ service }) => service);
  const [first] = asking;
  if (said === false) {
    const why = `${sayer(group)} says ${INJECT_META}=false`;
    if (first !== undefined) wrong.push(errorAt(first.path, `asks for the mesh, and ${why}`));
    return { kind: "leave", why, declined: true };
  }
  const offered = said === true || mode === "all";
  const consul = group.services.find(({ connect }) => connect !== "none");
  if (consul !== undefined && (said === true || first !== undefined)) {
    wrong.push(errorAt([...consul.path, "Connect"], "is of Consul's mesh, and the group asks for Lateen's"));
  } else if (consul !== undefined && mode === "all") {
    wrong.push(
      warningAt([...consul.path, "Connect"], `${group.name} is left as it is: it is of Consul's mesh`),
    );
  }
  if (consul !== undefined) {
    return { kind: "leave", why: `the service ${consul.name} is of Consul's mesh`, declined: true };
  }
  const wanted = words
    .filter(({ service, word }) => word ?? (offered && service.port !== ""))
    .map(({ service }) => service);
  if (wanted.length === 0 && said !== true) return { kind: "leave", ...nothingWanted(mode, words) };
  if (group.tasks.some((task) => task.name === SIDECAR_TASK && !isInjected(task))) {
    return { kind: "leave", why: `it has a task ${SIDECAR_TASK} of its own`, declined: true };
  }
  return { kind: "inject", services: onePerPort(wanted, asking, wrong) };
}

/** One proxy port stands before one port. Who asks goes before who is merely there. */
function onePerPort(
  wanted: readonly NomadService[],
  asking: readonly NomadService[],
  wrong: Finding[],
): readonly NomadService[] {
  const holders = new Map<string, NomadService>();
  const order = [...wanted].sort((a, b) => Number(asking.includes(b)) - Number(asking.includes(a)));
  for (const service of order) {
    const holder = holders.get(service.port);
    if (service.port === "") wrong.push(errorAt(service.path, "asks for the mesh and has no port"));
    else if (holder === undefined) holders.set(service.port, service);
    else {
      const say = asking.includes(service) ? errorAt : warningAt;
      wrong.push(say(service.path, `has the port of ${holder.name}: one of the two can be of the mesh`));
    }
  }
  return wanted.filter((service) => holders.get(service.port) === service);
}

function nothingWanted(
  mode: InjectionMode,
  words: readonly { readonly word: boolean | undefined }[],
): { readonly why: string; readonly declined: boolean } {
  if (words.some(({ word }) => word === false))
    return { why: `its services say ${INJECT_TAG}=false`, declined: true };
  if (mode === "all") return { why: "it has no service with a port", declined: words.length > 0 };
  return { why: "nothing in it asks for the mesh", declined: words.length > 0 };
}

function groupWord(job: NomadJob, group: TaskGroup, wrong: Finding[]): boolean | undefined {
  const { path, meta } = Object.hasOwn(group.meta, INJECT_META) ? group : job;
  const word = meta[INJECT_META];
  return word === undefined ? undefined : truth(word, [...path, "Meta", INJECT_META], wrong);
}

function sayer(group: TaskGroup): string {
  return Object.hasOwn(group.meta, INJECT_META) ? `the group ${group.name}` : "the job";
}

function serviceWord(service: NomadService, wrong: Finding[]): boolean | undefined {
  const prefix = `${INJECT_TAG}=`;
  const tags = service.tags.filter((tag) => tag.startsWith(prefix)).map((tag) => tag.slice(prefix.length));
  const meta = service.meta[INJECT_META];
  const words = [...new Set([...tags, ...(meta === undefined ? [] : [meta])].map((word) => word.trim()))];
  const [word, other] = words;
  if (other !== undefined)
    wrong.push(errorAt(service.path, `says that ${INJECT_TAG} is ${word}, and that it is ${other}`));
  return word === undefined ? undefined : truth(word, service.path, wrong);
}

function truth(word: string, path: Finding["path"], wrong: Finding[]): boolean | undefined {
  if (word === "true" || word === "false") return word === "true";
  wrong.push(errorAt(path, `${INJECT_TAG} must be true or false, not ${quoted(word)}`));
  return undefined;
}
