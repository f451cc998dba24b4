import { errorAt, type Finding } from "../../../mesh/model/finding.ts";
import { networkMode } from "../inject/sidecar-driver.ts";
import { isRecord } from "../job/fields.ts";
import type { Task, TaskGroup } from "../job/job.ts";
import { hostMounts } from "./host-mounts.ts";
import type { Rule } from "./policy.ts";

const CONTAINERS: readonly string[] = ["docker", "podman"];
/** Flags of drivers that give a task the host's rights. */
const FLAGS: readonly string[] = ["privileged"];
/** Lists of drivers that add to a task's rights. */
const ADDITIONS: readonly string[] = ["cap_add", "devices", "device_cgroup_rules", "security_opt"];
/** Where drivers take the name of a namespace that is not the task's own. */
const NAMESPACES: readonly string[] = [
  "pid_mode",
  "ipc_mode",
  "uts_mode",
  "userns_mode",
  "userns",
  "cgroupns",
];

/** What a task has that is forbidden. */
export function judgeTask(task: Task, group: TaskGroup, forbid: Rule["forbid"]): readonly Finding[] {
  const wrong: Finding[] = [];
  const { path, name, driver } = task;
  if (forbid.drivers.includes(driver))
    wrong.push(errorAt([...path, "Driver"], `the task ${name} has the driver ${driver}, which is forbidden`));
  if (forbid.privileged) wrong.push(...judgeRights(task));
  const reason = forbid.hostNetwork ? hostNetwork(task, group) : undefined;
  if (reason !== undefined)
    wrong.push(errorAt(path, `the task ${name} ${reason}: the host's network is forbidden`));
  return wrong;
}

function judgeRights({ path, name, driver, config }: Task): readonly Finding[] {
  const at = (key: string): Finding =>
    errorAt([...path, "Config", key], `the task ${name} has more rights than its driver gives: ${key}`);
  return [
    ...FLAGS.filter((key) => !isOff(config[key])),
    ...ADDITIONS.filter((key) => !isEmpty(config[key])),
    ...NAMESPACES.filter((key) => !isOwn(config[key])),
    ...(CONTAINERS.includes(driver) ? hostMounts(config) : []),
  ].map(at);
}

/** Drivers take texts for flags too; `${…}` may be anything. */
function isOff(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value !== "object" && /^(false|0|)$/i.test(`${value as string | number | boolean}`);
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isOff(value) || (isRecord(value) && Object.keys(value).length === 0);
}

function isOwn(value: unknown): boolean {
  return isOff(value) || value === "private" || value === "none" || value === "default";
}

/** Why a task is in the host's network; undefined: it is not. */
function hostNetwork({ driver, config }: Task, group: TaskGroup): string | undefined {
  const mode = networkMode(group);
  if (!CONTAINERS.includes(driver))
    return mode === "host"
      ? `is in the host's network, as its group ${group.name} has none of its own`
      : undefined;
  const own = config["network_mode"];
  if (isOff(own)) return undefined;
  // Another container, a path to a namespace and what only the client knows may be the host's.
  return typeof own === "string" && !/^host$|:|\$\{/.test(own)
    ? undefined
    : `has the network_mode ${String(own)}`;
}
