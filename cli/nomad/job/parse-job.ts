import { errorAt, type FieldPath, type Finding } from "../../../mesh/model/finding.ts";
import { Fields } from "./fields.ts";
import type { Network, NomadJob, NomadService, Task, TaskGroup, TaskIdentity } from "./job.ts";

const JOB = ["ID", "Name", "Namespace", "Region", "Type", "Meta", "TaskGroups"];
const GROUP = ["Name", "Meta", "Networks", "Services", "Tasks", "ShutdownDelay"];
const NETWORK = ["Mode", "ReservedPorts", "DynamicPorts"];
const PORT = ["Label", "Value", "To"];
const SERVICE = ["Name", "Tags", "CanaryTags", "Meta", "CanaryMeta", "PortLabel", "Provider", "Connect"];
const CONNECT = ["Native", "Gateway", "SidecarService", "SidecarTask"];
const TASK = [
  "Name",
  "Driver",
  "User",
  "Config",
  "Env",
  "Meta",
  "Lifecycle",
  "Services",
  "Identity",
  "Identities",
  "Resources",
];
const LIFECYCLE = ["Hook", "Sidecar"];
const RESOURCES = ["Networks"];
const IDENTITY = ["Name", "Audience"];

/** Reads a job, as in `Job` of a registration. What is wrong is added to `problems`, each with its path below `path`. */
export function parseJob(value: unknown, path: FieldPath, problems: Finding[]): NomadJob {
  const fields = new Fields(value, path, JOB, problems);
  const id = fields.text("ID");
  if (id === "") problems.push(errorAt([...path, "ID"], "is not given"));
  const name = fields.text("Name") || id;
  return {
    raw: fields.raw,
    path,
    id,
    name,
    namespace: fields.text("Namespace"),
    type: fields.text("Type") || "service",
    meta: fields.map("Meta"),
    groups: fields.list("TaskGroups", (group, at) => parseGroup(group, at, name, problems)),
  };
}

function parseGroup(value: unknown, path: FieldPath, job: string, problems: Finding[]): TaskGroup {
  const fields = new Fields(value, path, GROUP, problems);
  const name = fields.text("Name");
  const groupServices = fields.list("Services", (service, at) =>
    parseService(service, at, { job, group: name, task: "group" }, problems),
  );
  const tasks = fields.list("Tasks", (task, at) => parseTask(task, at, { job, group: name }, problems));
  return {
    raw: fields.raw,
    path,
    name,
    meta: fields.map("Meta"),
    networks: [
      ...fields.list("Networks", (network, at) => parseNetwork(network, at, problems)),
      ...tasks.flatMap(({ networks }) => networks),
    ],
    services: [...groupServices, ...tasks.flatMap(({ services }) => services)],
    tasks: tasks.map(({ task }) => task),
  };
}

function parseNetwork(value: unknown, path: FieldPath, problems: Finding[]): Network {
  const fields = new Fields(value, path, NETWORK, problems);
  const ports = (name: string) =>
    fields.list(name, (port, at) => {
      const read = new Fields(port, at, PORT, problems);
      return { label: read.text("Label"), value: read.whole("Value"), to: read.whole("To") };
    });
  return {
    raw: fields.raw,
    path,
    mode: fields.text("Mode") || "host",
    ports: [...ports("ReservedPorts"), ...ports("DynamicPorts")],
  };
}

interface ServicePlace {
  readonly job: string;
  readonly group: string;
  readonly task: string;
}

function parseService(
  value: unknown,
  path: FieldPath,
  place: ServicePlace,
  problems: Finding[],
): NomadService {
  const fields = new Fields(value, path, SERVICE, problems);
  const name = serviceName(fields.text("Name"), place);
  const connect = fields.child("Connect", (block, at) => parseConnect(block, at, name, problems));
  return {
    path,
    name,
    tags: fields.texts("Tags"),
    meta: fields.map("Meta"),
    canaryTags: fields.texts("CanaryTags"),
    canaryMeta: fields.map("CanaryMeta"),
    port: fields.text("PortLabel"),
    provider: fields.text("Provider") || "consul",
    connect: connect?.kind ?? "none",
    connectTask: connect?.task,
  };
}

/** Consul's mesh: the kind of it, and the task of its proxy, a container unless the job says another driver. */
function parseConnect(
  value: unknown,
  path: FieldPath,
  service: string,
  problems: Finding[],
): { readonly kind: NomadService["connect"]; readonly task: Task | undefined } {
  const read = new Fields(value, path, CONNECT, problems);
  const kind = read.flag("Native")
    ? "native"
    : read.has("Gateway")
      ? "gateway"
      : read.has("SidecarService")
        ? "sidecar"
        : "none";
  const told = read.child("SidecarTask", (task, at) =>
    taskOf(new Fields(task, at, TASK, problems), problems),
  );
  if (told === undefined && (kind === "none" || kind === "native")) return { kind, task: undefined };
  const own = told ?? taskOf(new Fields({}, path, TASK, problems), problems);
  return {
    kind,
    task: { ...own, name: own.name || `connect-proxy-${service}`, driver: own.driver || "docker" },
  };
}

/** Nomad's default, and the variables that it fills in when a job is registered; others are for the client. */
function serviceName(written: string, { job, group, task }: ServicePlace): string {
  const base = `${job}-${group}-${task}`;
  if (written === "") return task === "group" ? `${job}-${group}` : base;
  const known: Readonly<Record<string, string>> = { JOB: job, TASKGROUP: group, TASK: task, BASE: base };
  return written.replaceAll(
    /\$\{(JOB|TASKGROUP|TASK|BASE)\}/g,
    (whole, name: string) => known[name] ?? whole,
  );
}

interface ParsedTask {
  readonly task: Task;
  readonly services: readonly NomadService[];
  /** Of before Nomad had networks of groups. */
  readonly networks: readonly Network[];
}

function parseTask(
  value: unknown,
  path: FieldPath,
  place: Omit<ServicePlace, "task">,
  problems: Finding[],
): ParsedTask {
  const fields = new Fields(value, path, TASK, problems);
  const task = taskOf(fields, problems);
  return {
    task,
    services: fields.list("Services", (service, at) =>
      parseService(service, at, { ...place, task: task.name }, problems),
    ),
    networks:
      fields.child("Resources", (block, at) =>
        new Fields(block, at, RESOURCES, problems).list("Networks", (network, where) =>
          parseNetwork(network, where, problems),
        ),
      ) ?? [],
  };
}

function taskOf(fields: Fields, problems: Finding[]): Task {
  const identity = (block: unknown, at: FieldPath): TaskIdentity => {
    const read = new Fields(block, at, IDENTITY, problems);
    return { path: at, name: read.text("Name"), audiences: read.texts("Audience") };
  };
  const own = fields.child("Identity", identity);
  return {
    raw: fields.raw,
    path: fields.path,
    name: fields.text("Name"),
    driver: fields.text("Driver"),
    user: fields.text("User"),
    config: fields.record("Config"),
    env: fields.map("Env"),
    meta: fields.map("Meta"),
    hook: fields.child(
      "Lifecycle",
      (block, at) => new Fields(block, at, LIFECYCLE, problems).text("Hook") || undefined,
    ),
    identities: [...(own === undefined ? [] : [own]), ...fields.list("Identities", identity)],
  };
}
