import * as z from "zod";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { AgentBinding } from "../agent-binding.ts";
import { type Attestor, refused } from "../attestor.ts";
import { type IssuerKeys, verifyJwt } from "../proof/verify-jwt.ts";

export interface GcpIitOptions {
  readonly keys: IssuerKeys;
  readonly audience: string;
  readonly projects: readonly string[];
  /** What instances may have. */
  readonly binding: AgentBinding;
  readonly clock: Clock;
}

const claimsSchema = z.object({
  google: z.object({
    compute_engine: z.object({
      project_id: z.string().regex(/^[a-z0-9.:-]{1,64}$/),
      instance_id: z.string().regex(/^\d{1,20}$/),
      zone: z.string(),
    }),
  }),
});

const ISSUER = "https://accounts.google.com";

/** Google Compute Engine's instance identity token (format `full`). */
export function gcpIitAttestor({ keys, audience, projects, binding, clock }: GcpIitOptions): Attestor {
  return {
    properties: {
      method: "gcp-iit",
      bindsTo: "the Compute Engine instance",
      reattestable: false,
      tofu: true,
      strength: "platform",
      challenged: false,
    },
    attest: async ({ evidence }) => {
      const verdict = await verifyJwt(evidence.trim(), { keys, audience, issuer: ISSUER, now: clock.now() });
      if (!verdict.ok) return refused(`the instance identity token: ${verdict.reason}`);
      const { success, data } = claimsSchema.safeParse(verdict.claims);
      if (!success) return refused("the token has no claims of an instance: ask for format=full");
      const { project_id: project, instance_id: instance } = data.google.compute_engine;
      if (!projects.includes(project)) return refused(`the project ${project} is not allowed`);
      return { kind: "host", subject: `${project}/${instance}`, binding };
    },
  };
}
