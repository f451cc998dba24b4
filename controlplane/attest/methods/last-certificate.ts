import { possessionStatement } from "../../../mesh/identity/possession.ts";
import { describeSpiffeId } from "../../../mesh/identity/spiffe-id.ts";
import { judgeFacts } from "../../../mesh/identity/verify-peer-svid.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Bans } from "../../ca/bans.ts";
import type { CertificateAuthority } from "../../ca/certificate-authority.ts";
import type { AgentRecords } from "../agent-records.ts";
import { type Attestor, refused } from "../attestor.ts";
import { possessionEvidence, readEvidence } from "../evidence.ts";
import { isSignedBy } from "../proof/signature.ts";
import { verifyChain } from "../proof/verify-chain.ts";

export interface LastCertificateOptions {
  readonly ca: Pick<CertificateAuthority, "bundle">;
  readonly agents: Pick<AgentRecords, "get">;
  readonly bans: Pick<Bans, "has">;
  readonly clock: Clock;
  /** How long after its certificate's end an agent may come back. */
  readonly graceMs: number;
}

/**
 * The key of an agent's last certificate, for a while after that has expired: a host that slept comes back without an
 * operator. What it may have is what is stored of it; a ban holds.
 */
export function lastCertificateAttestor(options: LastCertificateOptions): Attestor {
  const { ca, agents, bans, clock, graceMs } = options;
  return {
    properties: {
      method: "last-certificate",
      bindsTo: "the key of the agent's last certificate",
      reattestable: true,
      tofu: false,
      strength: "possession",
      challenged: true,
    },
    attest: async ({ evidence, challenge, publicKeyDer }) => {
      const proof = readEvidence(possessionEvidence, evidence);
      if (proof === undefined) return refused("the evidence is malformed");
      const { roots, trustDomain } = ca.bundle;
      const chain = verifyChain(proof.chainPem, { roots, now: clock.now(), leafGraceMs: graceMs });
      if (!chain.ok) return refused(chain.reason);
      const identity = judgeFacts(chain.facts, trustDomain);
      if (!identity.ok) return refused(identity.reason);
      const subject = describeSpiffeId(identity.spiffeId);
      if (subject.kind !== "agent") return refused("the certificate is not an agent's");
      const statement = possessionStatement("last-certificate", challenge, publicKeyDer);
      if (!isSignedBy(chain.leaf.publicKey, statement, proof.signature)) {
        return refused("the statement is not signed with the certificate's key");
      }
      const record = agents.get(subject.agentId);
      const serial = chain.leaf.serialNumber.toLowerCase();
      if (record === undefined || (record.serial !== serial && record.previousSerial !== serial)) {
        return refused(`the certificate is not one of the last two of the agent ${subject.agentId}`);
      }
      if (bans.has({ kind: "serial", value: serial })) return refused("the certificate is banned");
      return { kind: "agent", agentId: subject.agentId };
    },
  };
}
