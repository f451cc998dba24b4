import { z } from "zod";

/** `attest` of server.yaml: a method is allowed when its part is there. */
export const attestSchema = z.strictObject({
  /** Join tokens, from `lateen token create`. */
  joinToken: z.boolean().default(true),
  /** How long after the end of its certificate an agent may come back by its last key. 0: never. */
  returnHours: z.number().min(0).max(8760).default(168),
});

export type AttestConfig = z.output<typeof attestSchema>;
