import { isRecord, type JsonRecord } from "../job/fields.ts";
import type { Task } from "../job/job.ts";

/** The sidecar's name in its group. */
export const SIDECAR_TASK = "lateen";
/** The task that the application waits for. */
export const READY_TASK = "lateen-ready";
/** Labels of the proxies' ports begin so. */
export const PORT_PREFIX = "lateen_";
/** Variables of the application's tasks: where its upstreams are. */
export const UPSTREAM_VARIABLE = "LATEEN_UPSTREAM_ADDR_";

/** Metadata of tasks that an injection made; by it the next injection knows what is its own. */
export const INJECTED_META = "lateen.injected";
/** Of the sidecar: that the group's `shutdown_delay` is the injection's. */
export const DELAY_META = "lateen.shutdown-delay";
/**
 * Of the sidecar: the paths of the services whose `lateen.inject=true` was taken off, as `Services/0,Tasks/1/Services/0`.
 * The tag is what an agent of node mode goes by: left on, two agents would serve one allocation.
 */
export const ASKED_META = "lateen.asked";

/** Of the sidecar: that services were taken that did not ask. The next injection takes them too, whoever does it. */
export const ALL_META = "lateen.all";

/** Of the sidecar: the labels of the ports that are the injection's, as `lateen_http,lateen_grpc`. */
export const PORTS_META = "lateen.ports";
/** Of the sidecar: the variables that are the injection's, by their tasks' places: `Tasks/0/LATEEN_UPSTREAM_ADDR_RATINGS`. */
export const VARIABLES_META = "lateen.variables";

const INJECT_TAG = "lateen.inject=true";
const INJECT_META = "lateen-inject";

export function isInjected({ meta }: Pick<Task, "meta">): boolean {
  return meta[INJECTED_META] === "true";
}

/**
 * A group's raw object as it was before an injection: to inject twice is to inject once, and an injection with other
 * settings leaves nothing of the first.
 */
export function withoutInjection(group: JsonRecord): JsonRecord {
  const tasks = listOf(group["Tasks"]);
  if (!tasks.some(isInjectedTask)) return group;
  const marks = Object.assign({}, ...tasks.filter(isInjectedTask).map(metaOf)) as JsonRecord;
  const own = tasks.filter((task) => !isInjectedTask(task));
  const variables = new Set(listIn(marks[VARIABLES_META]));
  const ports = listIn(marks[PORTS_META]);
  const bare: JsonRecord = {
    ...group,
    Tasks: own.map((task, index) =>
      withoutVariables(task, (name) => variables.has(variablePlace(index, name))),
    ),
    ...(Array.isArray(group["Networks"])
      ? { Networks: group["Networks"].map((network) => withoutPorts(network, ports)) }
      : {}),
    ...(marks[DELAY_META] === undefined ? {} : { ShutdownDelay: null }),
  };
  return changeServices(bare, listIn(marks[ASKED_META]), asking);
}

/** Of a variable of the task at an index. */
export function variablePlace(index: number, name: string): string {
  return `Tasks/${index}/${name}`;
}

/** Whether the last injection of a group took services that did not ask. */
export function tookAll(group: unknown): boolean {
  const tasks = isRecord(group) ? listOf(group["Tasks"]) : [];
  return tasks.some((task) => isInjectedTask(task) && metaOf(task)[ALL_META] === "true");
}

/** The group with `lateen.inject=true` taken off the services at these places (`Services/0`). */
export function withoutAsking(group: JsonRecord, places: readonly string[]): JsonRecord {
  return changeServices(group, places, notAsking);
}

/** Whether a service's raw object asks by a tag or by metadata. */
export function asksByItself(service: JsonRecord): boolean {
  return notAsking(service) !== service;
}

/** The parts of a mark that is a list. */
function listIn(mark: unknown): readonly string[] {
  return typeof mark === "string" ? mark.split(",") : [];
}

/** A list that may be `null` or not there. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

type Change = (record: JsonRecord) => JsonRecord;

/** Places that are not there are passed over: somebody has edited the job since. */
function changeServices(group: JsonRecord, places: readonly string[], change: Change): JsonRecord {
  return places.reduce((changed, place) => changeAt(changed, place.split("/"), change), group);
}

function changeAt(record: JsonRecord, [list, index, ...rest]: readonly string[], change: Change): JsonRecord {
  if (list === undefined || index === undefined) return change(record);
  const items = listOf(record[list]);
  const item = items[Number(index)];
  if (!isRecord(item)) return record;
  return { ...record, [list]: items.with(Number(index), changeAt(item, rest, change)) };
}

function asking(service: JsonRecord): JsonRecord {
  return { ...service, Tags: [...listOf(service["Tags"]), INJECT_TAG] };
}

function notAsking(service: JsonRecord): JsonRecord {
  let bare = service;
  for (const name of ["Tags", "CanaryTags"]) {
    const tags = listOf(service[name]);
    const kept = tags.filter((tag) => !(typeof tag === "string" && /^lateen\.inject=\s*true\s*$/.test(tag)));
    if (kept.length < tags.length) bare = { ...bare, [name]: kept };
  }
  for (const name of ["Meta", "CanaryMeta"]) {
    const meta = service[name];
    if (!isRecord(meta) || meta[INJECT_META] === undefined) continue;
    bare = { ...bare, [name]: omit(meta, (key) => key === INJECT_META) };
  }
  return bare;
}

function isInjectedTask(task: unknown): boolean {
  return metaOf(task)[INJECTED_META] === "true";
}

function metaOf(task: unknown): JsonRecord {
  return isRecord(task) && isRecord(task["Meta"]) ? task["Meta"] : {};
}

function withoutVariables(task: unknown, injected: (name: string) => boolean): unknown {
  if (!isRecord(task) || !isRecord(task["Env"])) return task;
  const kept = omit(task["Env"], injected);
  return kept === task["Env"] ? task : { ...task, Env: kept };
}

function withoutPorts(network: unknown, labels: readonly string[]): unknown {
  if (!isRecord(network)) return network;
  const ports = listOf(network["DynamicPorts"]);
  const kept = ports.filter((port) => !(isRecord(port) && labels.includes(String(port["Label"]))));
  return kept.length === ports.length ? network : { ...network, DynamicPorts: kept };
}

/** The same record where nothing is left out; null where nothing stays, as Nomad writes what nobody set. */
function omit(record: JsonRecord, out: (key: string) => boolean): JsonRecord | null {
  const kept = Object.entries(record).filter(([key]) => !out(key));
  if (kept.length === Object.keys(record).length) return record;
  return kept.length === 0 ? null : Object.fromEntries(kept);
}
