import * as z from "zod";

/** The part of a workload that is kept with the calls that came to it: it may be gone when they are looked at. */
export interface CallTarget {
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly role: "sidecar" | "gateway";
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly servicePort: number; readonly inbound: { readonly port: number } }[];
}

/** As it is stored; what is of a newer server has more and is taken, too. */
export const callTargetSchema: z.ZodType<CallTarget> = z.object({
  name: z.string(),
  namespace: z.string(),
  service: z.string(),
  role: z.enum(["sidecar", "gateway"]),
  labels: z.record(z.string(), z.string()),
  ports: z.array(z.object({ servicePort: z.number(), inbound: z.object({ port: z.number() }) })),
});

export function callTarget({ name, namespace, service, role, labels, ports }: CallTarget): CallTarget {
  return {
    name,
    namespace,
    service,
    role,
    labels,
    ports: ports.map(({ servicePort, inbound }) => ({ servicePort, inbound: { port: inbound.port } })),
  };
}
