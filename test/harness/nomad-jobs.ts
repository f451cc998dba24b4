import { resolve } from "node:path";

const LATEEN = resolve(import.meta.dirname, "../../cli/lateen.js");

/** An HTTP server at the port of the group's network that answers with its name and the request's headers. */
const ECHO = `
const { NOMAD_PORT_http: port, ECHO_ADDRESS: address = "0.0.0.0", NOMAD_ALLOC_ID: name } = process.env;
require("node:http").createServer((request, response) => {
  response.end(JSON.stringify({ app: name, headers: request.headers }));
}).listen(Number(port), address);
`;

export type Json = Readonly<Record<string, unknown>>;

interface EchoJob {
  readonly id: string;
  readonly tags: readonly string[];
  readonly count?: number;
  readonly address?: string;
  readonly checks?: readonly Json[];
  readonly ports?: readonly Json[];
  readonly tasks?: readonly Json[];
}

/** A job whose group has one native service and one application. */
export function echoJob(job: EchoJob): Json {
  const { id, tags, count = 1, address = "0.0.0.0", checks = [], ports = [], tasks = [] } = job;
  return {
    ID: id,
    Type: "service",
    Datacenters: ["*"],
    TaskGroups: [
      {
        Name: "app",
        Count: count,
        Networks: [{ Mode: "host", DynamicPorts: [{ Label: "http" }, ...ports] }],
        Services: [{ Name: id, PortLabel: "http", Provider: "nomad", Tags: tags, Checks: checks }],
        ...QUICK,
        Tasks: [...tasks, task("echo", ["-e", ECHO], { Env: { ECHO_ADDRESS: address } })],
      },
    ],
  };
}

/** A batch job that runs once. */
export function batchJob(id: string, tasks: readonly Json[]): Json {
  const group = { Name: "app", Count: 1, Networks: [{ Mode: "host" }], ...QUICK, Tasks: tasks };
  return { ID: id, Type: "batch", Datacenters: ["*"], TaskGroups: [group] };
}

/** Nothing is tried again: what fails is to be seen. */
const QUICK = {
  RestartPolicy: { Attempts: 0, Mode: "fail", Interval: 60_000_000_000, Delay: 1_000_000_000 },
  ReschedulePolicy: { Attempts: 0, Unlimited: false },
  EphemeralDisk: { SizeMB: 10 },
};

/** A task of this Node. */
export function task(name: string, args: readonly string[], more: Json = {}): Json {
  return {
    Name: name,
    Driver: "raw_exec",
    Config: { command: process.execPath, args },
    KillTimeout: 10_000_000_000,
    Resources: { CPU: 20, MemoryMB: 128 },
    LogConfig: { MaxFiles: 1, MaxFileSizeMB: 1, Disabled: false },
    ...more,
  };
}

interface SidecarJob {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The two tasks of docs/nomad.md: the agent, and what the application waits for. */
export function sidecarTasks({ args, environment }: SidecarJob): readonly Json[] {
  const identity = {
    Name: "lateen",
    Audience: ["lateen.example"],
    File: true,
    TTL: 3_600_000_000_000,
    ChangeMode: "noop",
  };
  return [
    task("lateen", [LATEEN, "agent", "sidecar", ...args], {
      Lifecycle: { Hook: "prestart", Sidecar: true },
      Identities: [identity],
      Env: environment,
      // From its sources: what is shipped needs less.
      Resources: { CPU: 100, MemoryMB: 512 },
    }),
    task("lateen-ready", [LATEEN, "wait", "--ready", "--timeout", "60s"], {
      Lifecycle: { Hook: "prestart", Sidecar: false },
      Resources: { CPU: 50, MemoryMB: 256 },
    }),
  ];
}
