import * as z from "zod";

/** A port of an allocation's group. */
interface AllocatedPort {
  readonly label: string;
  /** On the host. */
  readonly value: number;
  /** Inside the allocation's network; 0: the same. */
  readonly to: number;
  readonly hostAddress: string;
}

/** A service block of the job, as it is written: its tags may hold variables. */
interface ServiceBlock {
  readonly name: string;
  readonly provider: "nomad" | "consul";
  readonly tags: readonly string[];
}

/** One allocation, as far as it is read. */
export interface NomadAllocation {
  readonly id: string;
  readonly namespace: string;
  readonly jobId: string;
  /** The periodic or parameterized job that the job is an instance of: workload identities name it. */
  readonly parentJobId: string | undefined;
  readonly nodeName: string;
  /** What is wanted of it: `run`, `stop`, `evict`. */
  readonly desiredStatus: string;
  /** What its node says of it: `pending`, `running`, `complete`, `failed`, `lost`, `unknown`. */
  readonly clientStatus: string;
  /** Its address in a network of its own (bridge, CNI); undefined: it has the host's. */
  readonly address: string | undefined;
  readonly ports: readonly AllocatedPort[];
  /** Of its group and the tasks of that. */
  readonly services: readonly ServiceBlock[];
}

/** The allocation that a registration's id names, of Nomad's own services and of those in Consul alike. */
export function allocationOf(registrationId: string): string | undefined {
  return /^_nomad-task-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-/.exec(registrationId)?.[1];
}

/** Whether it is over for good. `unknown`, as of a node that is away for a while, is not. */
export function hasEnded({ clientStatus }: Pick<NomadAllocation, "clientStatus">): boolean {
  return ["complete", "failed", "lost"].includes(clientStatus);
}

const port = z.object({
  Label: z.string(),
  Value: z.number().int(),
  To: z.number().int().nullish(),
  HostIP: z.string().nullish(),
});

const service = z.object({
  Name: z.string(),
  Provider: z.string().nullish(),
  Tags: z.array(z.string()).nullish(),
});

const group = z.object({
  Name: z.string(),
  Networks: z.array(z.object({ Mode: z.string().nullish() })).nullish(),
  Services: z.array(service).nullish(),
  Tasks: z.array(z.object({ Services: z.array(service).nullish() })).nullish(),
});

/** What of `/v1/allocation/:id` is read. Nomad writes empty lists and objects as null. */
const allocationSchema = z.object({
  ID: z.string(),
  Namespace: z.string(),
  JobID: z.string(),
  TaskGroup: z.string().nullish(),
  NodeName: z.string().nullish(),
  DesiredStatus: z.string(),
  ClientStatus: z.string(),
  Job: z.object({ ParentID: z.string().nullish(), TaskGroups: z.array(group).nullish() }).nullish(),
  AllocatedResources: z.object({ Shared: z.object({ Ports: z.array(port).nullish() }).nullish() }).nullish(),
  NetworkStatus: z.object({ Address: z.string().nullish() }).nullish(),
});

/** Reads one allocation; a text says why it is none. */
export function parseAllocation(body: unknown): NomadAllocation | string {
  const { data, error } = allocationSchema.safeParse(body);
  if (data === undefined) {
    const [issue] = error.issues;
    return `${issue?.path.join(".")} ${issue?.message}`;
  }
  const own = data.Job?.TaskGroups?.find(({ Name }) => Name === data.TaskGroup);
  const modes = (own?.Networks ?? []).map(({ Mode }) => Mode || "host");
  const apart = modes.some((mode) => mode === "bridge" || mode.startsWith("cni/"));
  const blocks = [...(own?.Services ?? []), ...(own?.Tasks ?? []).flatMap(({ Services }) => Services ?? [])];
  return {
    id: data.ID,
    namespace: data.Namespace,
    jobId: data.JobID,
    parentJobId: data.Job?.ParentID || undefined,
    nodeName: data.NodeName ?? "",
    desiredStatus: data.DesiredStatus,
    clientStatus: data.ClientStatus,
    address: apart ? data.NetworkStatus?.Address || undefined : undefined,
    ports: (data.AllocatedResources?.Shared?.Ports ?? []).map(({ Label, Value, To, HostIP }) => ({
      label: Label,
      value: Value,
      to: To ?? 0,
      hostAddress: HostIP ?? "",
    })),
    services: blocks.map(({ Name, Provider, Tags }) => ({
      name: Name,
      provider: Provider === "nomad" ? "nomad" : "consul",
      tags: Tags ?? [],
    })),
  };
}
