import * as z from "zod";
import { isSpiffeSegment } from "../../../mesh/identity/spiffe-id.ts";
import { UNBOUND } from "../agent-binding.ts";
import { type Attestor, refused } from "../attestor.ts";
import { readEvidence } from "../evidence.ts";
import type { AskConsul, ConsulPermission } from "../proof/consul-permissions.ts";

export interface ConsulTokenOptions {
  readonly ask: AskConsul;
  /** Of the workloads: Consul's community edition has none. */
  readonly namespace: string;
}

const evidenceSchema = z.strictObject({
  token: z.string().regex(/^[\x21-\x7e]{1,4096}$/),
  /** The services that the host says it runs. */
  services: z.array(z.string().refine(isSpiffeSegment)).min(1).max(100),
});

/**
 * A Consul ACL token that may write the node and each of the services: Consul's own rule for who may register them. It
 * is shown to Consul and forgotten.
 */
export function consulTokenAttestor({ ask, namespace }: ConsulTokenOptions): Attestor {
  return {
    properties: {
      method: "consul-token",
      bindsTo: "the node and the services that the token may write",
      reattestable: true,
      tofu: false,
      strength: "bearer",
      challenged: false,
    },
    attest: async ({ evidence, nodeName }, signal) => {
      const claim = readEvidence(evidenceSchema, evidence);
      if (claim === undefined) return refused("the evidence is malformed");
      const permissions: readonly ConsulPermission[] = [
        { resource: "node", access: "write", name: nodeName },
        ...claim.services.map((name) => ({ resource: "service", access: "write", name }) as const),
      ];
      const allowed = await ask(claim.token, permissions, signal);
      if (allowed === undefined) return refused("Consul does not know the token");
      const missing = permissions.filter((_, index) => allowed[index] !== true);
      if (missing.length > 0) {
        return refused(
          `the token may not write ${missing.map(({ resource, name }) => `${resource} ${name}`).join(", ")}`,
        );
      }
      const binding = { ...UNBOUND, namespace, serviceAccounts: claim.services };
      return { kind: "host", subject: nodeName, nodeName, binding };
    },
  };
}
