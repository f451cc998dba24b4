import * as z from "zod";
import { parseCaptureOwner } from "../model/capture-owner.ts";

const port = z.int().min(1).max(65_535);

/** What an agent wants captured for one of its workloads. */
const askedCapture = z.object({
  /** `namespace/name`. */
  workload: z.string().regex(/^[a-z0-9-]{1,63}\/[A-Za-z0-9_.-]{1,200}$/),
  /** Whose connections are the workload's; undefined: those of who listens at its port. */
  owner: z
    .string()
    .refine((text) => parseCaptureOwner(text) !== undefined, "is no owner")
    .optional(),
  /** Where its application is called. */
  place: z.object({ address: z.union([z.ipv4(), z.ipv6()]), port }),
  /** Its proxy's ports. */
  at: z.object({ outbound: port, inbound: port, ipv6: z.boolean() }),
});

const schema = z.object({ agentPid: z.int().min(1), captures: z.array(askedCapture).max(200) });

export type AskedCapture = z.output<typeof askedCapture>;
/** What `GET /capture` of an agent answers. */
export type AskedCaptures = z.output<typeof schema>;

/**
 * Reads an agent's answer. The command that writes rules of it runs as root, and the agent does not: nothing of it is
 * believed further than its form. Throws a ZodError.
 */
export function parseAskedCaptures(answer: unknown): AskedCaptures {
  return schema.parse(answer);
}
