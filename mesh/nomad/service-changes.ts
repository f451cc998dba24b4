import * as z from "zod";
import { type NomadRegistration, registrationSchema } from "./nomad-services.ts";

/** One line of the event stream with the topic `Service`. */
export type ServiceLine =
  /** `{}`: the stream is alive. */
  | { readonly kind: "heartbeat" }
  | { readonly kind: "changes"; readonly index: number; readonly changes: readonly ServiceChange[] }
  /** It cannot be read: what it tells has to be learnt from a list. */
  | { readonly kind: "unreadable"; readonly reason: string };

export interface ServiceChange {
  readonly kind: "registered" | "deregistered";
  readonly registration: NomadRegistration;
}

const lineSchema = z.object({
  Index: z.number().int().min(1),
  Events: z.array(z.object({ Topic: z.string(), Type: z.string(), Payload: z.unknown() })).nullish(),
});
const payloadSchema = z.object({ Service: registrationSchema });

const KINDS: Readonly<Record<string, ServiceChange["kind"]>> = {
  ServiceRegistration: "registered",
  ServiceDeregistration: "deregistered",
};

export function parseServiceLine(line: unknown): ServiceLine {
  if (typeof line === "object" && line !== null && Object.keys(line).length === 0)
    return { kind: "heartbeat" };
  const { data } = lineSchema.safeParse(line);
  if (data === undefined) return { kind: "unreadable", reason: "a line that is no events" };
  const changes: ServiceChange[] = [];
  for (const { Topic, Type, Payload } of data.Events ?? []) {
    if (Topic !== "Service") continue;
    const kind = KINDS[Type];
    const payload = payloadSchema.safeParse(Payload);
    if (kind === undefined || !payload.success) return { kind: "unreadable", reason: `an event ${Type}` };
    changes.push({ kind, registration: payload.data.Service });
  }
  return { kind: "changes", index: data.Index, changes };
}
