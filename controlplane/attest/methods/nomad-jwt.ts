import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { NomadAllocation } from "../../../mesh/nomad/nomad-allocation.ts";
import type { NomadClient } from "../../../mesh/nomad/nomad-client.ts";
import { UNBOUND } from "../agent-binding.ts";
import { type Attestor, refused } from "../attestor.ts";
import { type IdentityTemplate, identityFrom } from "../identity-template.ts";
import { issuerKeys, verifyJwt } from "../proof/verify-jwt.ts";

export interface NomadJwtOptions {
  readonly nomad: NomadClient;
  readonly audience: string;
  readonly identity: IdentityTemplate;
  readonly clock: Clock;
}

/** An allocation ends when Nomad says so: what was given for it does not outlive it by much. */
const TTL_MS = 3_600_000;

/** Nomad's workload identity: this is a task of that allocation, and the allocation runs. */
export function nomadJwtAttestor({ nomad, audience, identity, clock }: NomadJwtOptions): Attestor {
  const keys = issuerKeys(nomad.address, (signal) => nomad.signingKeys(signal));
  return {
    properties: {
      method: "nomad-jwt",
      bindsTo: "one allocation, and the one identity that follows from its claims",
      reattestable: true,
      tofu: false,
      strength: "platform",
      challenged: false,
    },
    attest: async ({ evidence }, signal) => {
      const verdict = await verifyJwt(evidence.trim(), { keys, audience, now: clock.now() });
      if (!verdict.ok) return refused(`the workload identity: ${verdict.reason}`);
      const { claims } = verdict;
      const id = claims["nomad_allocation_id"];
      if (typeof id !== "string") return refused("the workload identity is of no allocation");
      const allocation = await nomad.allocation(id, signal);
      const problem = runningProblem(id, allocation);
      if (allocation === undefined || problem !== undefined) return refused(problem ?? "");
      const { namespace: home, jobId, parentJobId = jobId } = allocation;
      if (home !== claims["nomad_namespace"] || parentJobId !== claims["nomad_job_id"]) {
        return refused(`the allocation ${id} is of another job than the workload identity says`);
      }
      const named = identityFrom(identity, claims);
      if (named === undefined) return refused(`no identity follows from the claims of the allocation ${id}`);
      const { namespace, serviceAccount } = named;
      const nodeName = allocation.nodeName === "" ? {} : { nodeName: allocation.nodeName };
      const binding = { ...UNBOUND, namespace, serviceAccounts: [serviceAccount] };
      return { kind: "host", subject: id, ...nodeName, binding, ttlMs: TTL_MS };
    },
    stillHolds: async ({ attested }, signal) => {
      const problem = runningProblem(attested.subject, await nomad.allocation(attested.subject, signal));
      return problem === undefined ? { ok: true } : { ok: false, reason: problem };
    },
  };
}

function runningProblem(id: string, allocation: NomadAllocation | undefined): string | undefined {
  if (allocation === undefined) return `Nomad has no allocation ${id}`;
  const { clientStatus, desiredStatus } = allocation;
  if (clientStatus === "running" && desiredStatus === "run") return undefined;
  return `the allocation ${id} is ${clientStatus} and wanted to ${desiredStatus}`;
}
