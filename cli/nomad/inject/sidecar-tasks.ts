import type { JsonRecord } from "../job/fields.ts";
import {
  ALL_META,
  ASKED_META,
  DELAY_META,
  INJECTED_META,
  PORTS_META,
  READY_TASK,
  SIDECAR_TASK,
  VARIABLES_META,
} from "./marks.ts";
import type { MeshedGroup } from "./meshed-services.ts";
import type { SidecarSettings } from "./settings.ts";
import type { SidecarDriver } from "./sidecar-driver.ts";

const NS_PER_SECOND = 1_000_000_000;
/** Longer than an agent drains, unless it is told otherwise. */
const KILL_TIMEOUT_SECONDS = 20;
/** Nomad writes a new one before this is over. */
const IDENTITY_TTL_SECONDS = 3_600;

export interface SidecarParts {
  readonly driver: SidecarDriver;
  readonly meshed: MeshedGroup;
  readonly settings: SidecarSettings;
  /** Places of services whose `lateen.inject=true` was taken off. */
  readonly asked: readonly string[];
  /** Whether services were taken that did not ask. */
  readonly all: boolean;
  /** Whether the group's `shutdown_delay` is the injection's. */
  readonly delayed: boolean;
  /** Labels of ports that are the injection's. */
  readonly ports: readonly string[];
  /** Places of variables that are the injection's. */
  readonly variables: readonly string[];
}

/** The tasks that make an allocation one of the mesh, as Nomad's API has them: the agent, and what waits for it. */
export function sidecarTasks(parts: SidecarParts): readonly [JsonRecord, JsonRecord] {
  return [agentTask(parts), readyTask(parts)];
}

function agentTask({ driver, meshed, settings, ...made }: SidecarParts): JsonRecord {
  const { audience, cpu, memoryMb, secretsMb } = settings;
  const marks = {
    [INJECTED_META]: "true",
    ...listed(ASKED_META, made.asked),
    ...listed(PORTS_META, made.ports),
    ...listed(VARIABLES_META, made.variables),
    ...(made.all ? { [ALL_META]: "true" } : {}),
    ...(made.delayed ? { [DELAY_META]: "true" } : {}),
  };
  return {
    Name: SIDECAR_TASK,
    Driver: driver.driver,
    Lifecycle: { Hook: "prestart", Sidecar: true },
    Config: driver.config(["agent", "sidecar", ...agentArguments(meshed)]),
    Env: agentEnvironment(settings),
    Identities: [
      {
        Name: "lateen",
        Audience: [audience],
        File: true,
        TTL: IDENTITY_TTL_SECONDS * NS_PER_SECOND,
        ChangeMode: "noop",
      },
    ],
    Resources: { CPU: cpu, MemoryMB: memoryMb, SecretsMB: secretsMb },
    KillTimeout: KILL_TIMEOUT_SECONDS * NS_PER_SECOND,
    Meta: marks,
  };
}

function listed(mark: string, list: readonly string[]): Readonly<Record<string, string>> {
  return list.length === 0 ? {} : { [mark]: list.join(",") };
}

/** A sidecar counts as started when its process runs: this task ends when it serves, and the application begins. */
function readyTask({ driver, settings }: SidecarParts): JsonRecord {
  return {
    Name: READY_TASK,
    Driver: driver.driver,
    Lifecycle: { Hook: "prestart", Sidecar: false },
    Config: driver.config(["wait", "--ready", "--timeout", `${settings.readySeconds}s`]),
    Resources: { CPU: 50, MemoryMB: 96 },
    Meta: { [INJECTED_META]: "true" },
  };
}

function agentArguments({ workloads, namespace, serviceAccount, provider }: MeshedGroup): readonly string[] {
  const catalog =
    provider === "consul"
      ? ["--catalog", `consul/\${attr.unique.consul.name}`]
      : provider === undefined
        ? ["--catalog", "none"]
        : [];
  return [
    ...workloads.flatMap(({ flag, value }) => [flag, value]),
    ...catalog,
    ...(namespace === undefined ? [] : ["--namespace", namespace]),
    ...(serviceAccount === undefined ? [] : ["--service-account", serviceAccount]),
  ];
}

function agentEnvironment({
  servers,
  trustDomain,
  caPin,
  env,
}: SidecarSettings): Readonly<Record<string, string>> {
  return {
    ...(servers.length === 0 ? {} : { LATEEN_AGENT_SERVERS: servers.join(",") }),
    LATEEN_AGENT_JOIN_TRUST_DOMAIN: trustDomain,
    ...(caPin === undefined ? {} : { LATEEN_AGENT_JOIN_CA_PIN: caPin }),
    ...env,
  };
}
