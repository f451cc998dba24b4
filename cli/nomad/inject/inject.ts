import type { FieldPath, Finding } from "../../../mesh/model/finding.ts";
import { isRecord, type JsonRecord } from "../job/fields.ts";
import type { NomadJob, TaskGroup } from "../job/job.ts";
import { parseJob } from "../job/parse-job.ts";
import { chooseGroup, type InjectionMode } from "./choose-group.ts";
import {
  asksByItself,
  listOf,
  tookAll,
  UPSTREAM_VARIABLE,
  variablePlace,
  withoutAsking,
  withoutInjection,
} from "./marks.ts";
import { type MeshedGroup, meshedGroup, proxyPortOf } from "./meshed-services.ts";
import type { SidecarSettings } from "./settings.ts";
import { sidecarDriver } from "./sidecar-driver.ts";
import { sidecarTasks } from "./sidecar-tasks.ts";

const NS_PER_SECOND = 1_000_000_000;

/** What became of a group. */
export type GroupOutcome =
  | { readonly kind: "injected"; readonly group: string }
  | { readonly kind: "left"; readonly group: string; readonly why: string; readonly declined: boolean }
  | { readonly kind: "refused"; readonly group: string };

export interface Injection {
  /** The job to register: as it came, but for groups that were injected. */
  readonly job: JsonRecord;
  /** As it was before any injection. */
  readonly parsed: NomadJob;
  readonly groups: readonly GroupOutcome[];
  /** With an error among them the job is not to be registered. */
  readonly problems: readonly Finding[];
}

export interface InjectionOptions {
  readonly mode: InjectionMode;
  readonly settings: SidecarSettings;
  /** Where the job is in what it came in; `["Job"]`. */
  readonly path: FieldPath;
}

/**
 * Gives the groups of a job their sidecars. Pure, and the same when done twice: what an earlier injection made is taken
 * out first. Every field that it does not know stays as it is.
 */
export function injectJob(value: unknown, { mode, settings, path }: InjectionOptions): Injection {
  const problems: Finding[] = [];
  const job = parseBareJob(value, path, problems);
  if (problems.length > 0) {
    return { job: job.raw, parsed: job, groups: job.groups.map(refusedGroup), problems };
  }
  const before = isRecord(value) ? listOf(value["TaskGroups"]) : [];
  const done = job.groups.map((group, index) => {
    const groupMode = tookAll(before[index]) ? "all" : mode;
    return injectGroup(job, group, { mode: groupMode, settings, path }, problems);
  });
  const groups = done.map(({ raw }) => raw);
  const unchanged = groups.every((group, index) => group === job.groups[index]?.raw);
  return {
    job: unchanged ? job.raw : { ...job.raw, TaskGroups: groups },
    parsed: job,
    groups: done.map(({ outcome }) => outcome),
    problems,
  };
}

/** A job as it was before any injection. What is wrong is added to `problems`. */
export function parseBareJob(value: unknown, path: FieldPath, problems: Finding[]): NomadJob {
  return parseJob(bareJob(value), path, problems);
}

function bareJob(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const groups = value["TaskGroups"];
  if (!Array.isArray(groups)) return value;
  const bare = groups.map((group: unknown) => (isRecord(group) ? withoutInjection(group) : group));
  return bare.every((group, index) => group === groups[index]) ? value : { ...value, TaskGroups: bare };
}

function refusedGroup({ name }: TaskGroup): GroupOutcome {
  return { kind: "refused", group: name };
}

interface Done {
  readonly raw: JsonRecord;
  readonly outcome: GroupOutcome;
}

function injectGroup(
  job: NomadJob,
  group: TaskGroup,
  { mode, settings }: InjectionOptions,
  problems: Finding[],
): Done {
  const { name, raw } = group;
  const wrong: Finding[] = [];
  const choice = chooseGroup(job, group, mode, wrong);
  problems.push(...wrong);
  if (choice.kind === "leave") {
    const { why, declined } = choice;
    return { raw, outcome: { kind: "left", group: name, why, declined } };
  }
  if (choice.kind === "refuse") return { raw, outcome: refusedGroup(group) };
  const found: Finding[] = [];
  const driver = sidecarDriver(group, settings, found);
  const meshed = meshedGroup(job, group, choice.services, found);
  problems.push(...found);
  if (found.some(({ severity }) => severity === "error")) return { raw, outcome: refusedGroup(group) };
  const asked = group.services
    .filter(({ path }) => asksByItself(at(raw, path.slice(group.path.length))))
    .map(({ path }) => path.slice(group.path.length).join("/"));
  const delayed =
    settings.shutdownDelaySeconds > 0 && meshed.proxied.length > 0 && !isSet(raw["ShutdownDelay"]);
  const plain = withoutAsking(raw, asked);
  const ports = missingPorts(group, meshed);
  const changed = listOf(plain["Tasks"]).map((task, index) => withVariables(task, index, meshed));
  const variables = changed.flatMap((task) => task.added);
  return {
    raw: {
      ...plain,
      ...(delayed ? { ShutdownDelay: settings.shutdownDelaySeconds * NS_PER_SECOND } : {}),
      ...(ports.length === 0 ? {} : { Networks: withPorts(listOf(plain["Networks"]), ports) }),
      Tasks: [
        ...changed.map(({ task }) => task),
        ...sidecarTasks({
          driver,
          meshed,
          settings,
          asked,
          all: mode === "all",
          delayed,
          ports: ports.map(proxyPortOf),
          variables,
        }),
      ],
    },
    outcome: { kind: "injected", group: name },
  };
}

function at(record: JsonRecord, path: FieldPath): JsonRecord {
  let found: unknown = record;
  for (const part of path) found = (found as Readonly<Record<string | number, unknown>>)[part];
  return found as JsonRecord;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== 0;
}

/** The labels before which there is no port for the proxy yet. */
function missingPorts(group: TaskGroup, { proxied }: MeshedGroup): readonly string[] {
  const known = group.networks.flatMap(({ ports }) => ports.map(({ label }) => label));
  return proxied.filter((label) => !known.includes(proxyPortOf(label)));
}

/** A port for the proxy of each of these, in the same network and on the same host network as its own. */
function withPorts(networks: readonly unknown[], labels: readonly string[]): readonly unknown[] {
  return networks.map((network) => {
    if (!isRecord(network)) return network;
    const dynamic = listOf(network["DynamicPorts"]);
    const all = [...listOf(network["ReservedPorts"]), ...dynamic].filter(isRecord);
    const added = labels.flatMap((label) => {
      const port = all.find((candidate) => candidate["Label"] === label);
      if (port === undefined) return [];
      const host = isSet(port["HostNetwork"]) ? { HostNetwork: port["HostNetwork"] } : {};
      return [{ Label: proxyPortOf(label), To: -1, ...host }];
    });
    return added.length === 0 ? network : { ...network, DynamicPorts: [...dynamic, ...added] };
  });
}

/**
 * Where the application's tasks find what they call: `LATEEN_UPSTREAM_ADDR_RATINGS=127.0.0.1:9080`, unless the task says
 * another place itself.
 */
function withVariables(
  task: unknown,
  index: number,
  { upstreams }: MeshedGroup,
): { readonly task: unknown; readonly added: readonly string[] } {
  if (!isRecord(task)) return { task, added: [] };
  const env = isRecord(task["Env"]) ? task["Env"] : {};
  const missing = upstreams
    .map(({ host, address }) => [variableOf(host), address] as const)
    .filter(([name]) => !Object.hasOwn(env, name));
  if (missing.length === 0) return { task, added: [] };
  return {
    task: { ...task, Env: { ...env, ...Object.fromEntries(missing) } },
    added: [...new Set(missing.map(([name]) => variablePlace(index, name)))],
  };
}

function variableOf(host: string): string {
  return `${UPSTREAM_VARIABLE}${host.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
}
