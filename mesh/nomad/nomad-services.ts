import * as z from "zod";
import { MeshError } from "../errors.ts";

/** One instance of a native service. */
export interface NomadRegistration {
  /** `_nomad-task-<allocation>-group-<group>-<service>-<port label>`, unique in its Nomad. */
  readonly id: string;
  readonly service: string;
  readonly namespace: string;
  readonly nodeId: string;
  readonly allocationId: string;
  readonly tags: readonly string[];
  readonly address: string;
  readonly port: number;
}

/** A service, by name, and all tags of its instances. */
export interface NomadServiceName {
  readonly namespace: string;
  readonly service: string;
  readonly tags: readonly string[];
}

/** Registrations of one service, and what of the answer is none. */
export interface Registrations {
  readonly registrations: readonly NomadRegistration[];
  readonly unusable: readonly string[];
}

const namesSchema = z.array(
  z.object({
    Namespace: z.string(),
    Services: z.array(z.object({ ServiceName: z.string(), Tags: z.array(z.string()).nullish() })).nullish(),
  }),
);

export const registrationSchema = z
  .object({
    ID: z.string().min(1),
    ServiceName: z.string().min(1),
    Namespace: z.string().min(1),
    NodeID: z.string(),
    AllocID: z.string(),
    Tags: z.array(z.string()).nullish(),
    Address: z.string(),
    Port: z.number().int().min(0).max(65_535),
  })
  .transform(
    (raw): NomadRegistration => ({
      id: raw.ID,
      service: raw.ServiceName,
      namespace: raw.Namespace,
      nodeId: raw.NodeID,
      allocationId: raw.AllocID,
      tags: raw.Tags ?? [],
      address: raw.Address,
      port: raw.Port,
    }),
  );

const checksSchema = z.record(z.string(), z.object({ Service: z.string(), Status: z.string() })).nullable();

/** What the checks of one allocation say of one of its services, by the service's name. */
export type CheckVerdicts = ReadonlyMap<string, "passing" | "pending" | "failing">;

/** Reads `/v1/services`. Throws `registry.unavailable` when it is no such answer. */
export function parseServiceNames(body: unknown): readonly NomadServiceName[] {
  return read(namesSchema, body ?? [], "its services").flatMap(({ Namespace, Services }) =>
    (Services ?? []).map(({ ServiceName, Tags }) => ({
      namespace: Namespace,
      service: ServiceName,
      tags: Tags ?? [],
    })),
  );
}

/** Reads `/v1/service/:name`: one entry that cannot be read does not spoil the others. Throws when it is no list. */
export function parseRegistrations(body: unknown): Registrations {
  const entries = read(z.array(z.unknown()), body ?? [], "a service");
  const registrations: NomadRegistration[] = [];
  const unusable: string[] = [];
  for (const entry of entries) {
    const { data, error } = registrationSchema.safeParse(entry);
    if (data === undefined) unusable.push(issueOf(error));
    else registrations.push(data);
  }
  return { registrations, unusable };
}

/** Reads `/v1/client/allocation/:id/checks`; the worst check of a service counts. */
export function parseChecks(body: unknown): CheckVerdicts {
  const verdicts = new Map<string, "passing" | "pending" | "failing">();
  for (const { Service, Status } of Object.values(read(checksSchema, body, "checks") ?? {})) {
    const found = Status === "success" ? "passing" : Status === "pending" ? "pending" : "failing";
    const worst = verdicts.get(Service);
    if (worst === "failing" || (worst === "pending" && found === "passing")) continue;
    verdicts.set(Service, found);
  }
  return verdicts;
}

/** Reads `/v1/nodes`: names by id. */
export function parseNodeNames(body: unknown): ReadonlyMap<string, string> {
  const nodes = read(z.array(z.object({ ID: z.string(), Name: z.string() })), body ?? [], "its nodes");
  return new Map(nodes.map(({ ID, Name }) => [ID, Name]));
}

function read<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const { data, error, success } = schema.safeParse(body);
  if (success) return data;
  throw new MeshError("registry.unavailable", `read what Nomad says of ${what}: ${issueOf(error)}`);
}

function issueOf(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue?.path.join(".") || "the answer"}: ${issue?.message}`;
}
