import { errorAt, type Finding } from "../../../mesh/model/finding.ts";
import type { JsonRecord } from "../job/fields.ts";
import type { Task, TaskGroup } from "../job/job.ts";
import { isInjected } from "./marks.ts";
import type { SidecarSettings } from "./settings.ts";

/** How the tasks of an injection are run. */
export interface SidecarDriver {
  readonly driver: string;
  /** The `config` of a task that runs `lateen` with these arguments. */
  config(args: readonly string[]): JsonRecord;
}

const CONTAINERS: readonly string[] = ["docker", "podman"];

/**
 * The driver for a group's sidecar, in its order of preference: the one that is configured, containers where the group
 * has them, else the one of its tasks. A sidecar and its application meet on loopback, so a task with a network of its
 * own is an error.
 */
export function sidecarDriver(
  group: TaskGroup,
  { driver, image, command }: SidecarSettings,
  problems: Finding[],
): SidecarDriver {
  const tasks = group.tasks.filter((task) => !isInjected(task));
  const mode = networkMode(group);
  if (mode === "none")
    problems.push(errorAt(group.path, `the group ${group.name} has no network (mode "none")`));
  for (const task of tasks) {
    const apart = networkApart(task, mode);
    if (apart !== undefined) problems.push(errorAt(task.path, `the task ${task.name} ${apart}`));
  }
  const chosen = driver === "auto" ? guess(group, tasks, problems) : driver;
  if (!CONTAINERS.includes(chosen)) return { driver: chosen, config: (args) => ({ command, args }) };
  const network = mode === "host" ? { network_mode: "host" } : {};
  return { driver: chosen, config: (args) => ({ image, args, ...network }) };
}

/** `host` where the group says nothing, as in Nomad. */
export function networkMode(group: TaskGroup): string {
  return group.networks[0]?.mode ?? "host";
}

function guess(group: TaskGroup, tasks: readonly Task[], problems: Finding[]): string {
  const drivers = new Set(tasks.map((task) => task.driver));
  if (drivers.has("docker")) return "docker";
  if (drivers.has("podman")) return "podman";
  if (drivers.has("exec") || drivers.has("java")) return "exec";
  if (drivers.has("raw_exec")) return "raw_exec";
  const named = [...drivers].filter((name) => name !== "").join(", ") || "none";
  problems.push(
    errorAt(
      group.path,
      `no driver for the sidecar of ${group.name} follows from its tasks' (${named}): set driver`,
    ),
  );
  return "raw_exec";
}

/** Why loopback is not the group's in a task; undefined: it is. */
function networkApart({ driver, config }: Task, mode: string): string | undefined {
  if (driver === "qemu") return "is a virtual machine: the sidecar is not on its loopback";
  if (!CONTAINERS.includes(driver)) return undefined;
  const own = config["network_mode"];
  if (mode !== "host")
    return own === undefined || own === null || own === ""
      ? undefined
      : `has a network_mode beside the group's ${mode}`;
  return own === "host"
    ? undefined
    : `is a container with a network of its own: give the group network { mode = "bridge" }, or the task network_mode = "host"`;
}
