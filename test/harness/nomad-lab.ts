import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseJoinToken } from "../../mesh/identity/join-token.ts";
import { type RunningNomad, startNomad } from "../../setup/run-nomad.ts";
import { eventually } from "./eventually.ts";
import { MeshServer } from "./mesh-server.ts";
import { requireTool } from "./tools.ts";

export interface NomadLab extends AsyncDisposable {
  readonly nomad: RunningNomad;
  readonly server: MeshServer;
  readonly directory: string;
  readonly token: () => Promise<string>;
  /** What a sidecar task has to be told. */
  readonly environment: Readonly<Record<string, string>>;
}

interface TaskState {
  readonly State: string;
  readonly Failed: boolean;
  readonly StartedAt: string;
  readonly FinishedAt: string;
  readonly Events: readonly {
    readonly Type: string;
    readonly ExitCode: number;
    readonly DisplayMessage: string;
  }[];
}

export interface Allocation {
  readonly ID: string;
  readonly ClientStatus: string;
  readonly TaskStates: Readonly<Record<string, TaskState>> | null;
}

/** A real Nomad, and a server that reads it and lets its workloads in. */
export async function startNomadLab(): Promise<NomadLab> {
  await using closing = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "lateen-lab-"));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  const nomad = closing.use(await startNomad(requireTool("nomad")));
  const { address } = nomad;
  const server = new MeshServer({
    directory,
    address: `127.${randomInt(64, 128)}.${randomInt(1, 255)}.${randomInt(1, 255)}`,
    trustDomain: "cluster.local",
    consul: undefined,
    leafTtlSeconds: undefined,
    within: undefined,
    config: { nomad: { address }, attest: { nomad: { address, audience: "lateen.example" } } },
  });
  closing.use(server);
  await server.start();
  const token = async (): Promise<string> =>
    (await server.admin.post<{ readonly token: string }>("/v1/tokens", {})).token;
  const { pin } = parseJoinToken(await token());
  const open = closing.move();
  return {
    nomad,
    server,
    directory,
    token,
    environment: {
      LATEEN_AGENT_SERVERS: server.address,
      LATEEN_AGENT_JOIN_TRUST_DOMAIN: "cluster.local",
      LATEEN_AGENT_JOIN_CA_PIN: pin,
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** The newest allocation of a job, once it is as wanted. */
export async function allocationOf(
  nomad: RunningNomad,
  job: string,
  wanted: (allocation: Allocation) => boolean,
): Promise<Allocation> {
  const path = `/job/${encodeURIComponent(job)}/allocations`;
  let last: Allocation | undefined;
  try {
    return await eventually(
      `an allocation of ${job} as wanted`,
      async () => {
        [last] = (await nomad.get<readonly Allocation[]>(path)) ?? [];
        return last !== undefined && wanted(last) ? last : undefined;
      },
      60_000,
    );
  } catch (cause) {
    throw new Error(`${job} is ${JSON.stringify(last)}\n${await logsOf(nomad, last)}`, { cause });
  }
}

/** What the tasks of an allocation wrote. */
export async function logsOf(nomad: RunningNomad, allocation: Allocation | undefined): Promise<string> {
  const texts = Object.keys(allocation?.TaskStates ?? {}).flatMap((task) =>
    ["stdout", "stderr"].map(
      async (type) => `--- ${task} ${type}\n${await logOf(nomad, allocation?.ID ?? "", task, type)}`,
    ),
  );
  return (await Promise.all(texts)).join("\n");
}

export async function logOf(nomad: RunningNomad, id: string, task: string, type: string): Promise<string> {
  const path = `/v1/client/fs/logs/${id}?task=${task}&type=${type}&plain=true`;
  return await (await fetch(`${nomad.address}${path}`, { signal: AbortSignal.timeout(5_000) })).text();
}
