import * as z from "zod";
import { possessionStatement, SSH_NAMESPACE } from "../../../mesh/identity/possession.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { AgentBinding } from "../agent-binding.ts";
import { type Attestor, refused } from "../attestor.ts";
import { readEvidence } from "../evidence.ts";
import { verifySshHostCertificate } from "../proof/ssh-certificate.ts";
import { verifySshSig } from "../proof/ssh-signature.ts";

export interface SshPopOptions {
  /** Public key lines of the authorities that sign host certificates. */
  readonly authorities: readonly string[];
  /** What hosts that come this way may have. */
  readonly binding: AgentBinding;
  readonly clock: Clock;
}

const evidenceSchema = z.strictObject({
  /** A line of `ssh_host_…_key-cert.pub`. */
  certificate: z.string().max(16_384),
  /** What `ssh-keygen -Y sign -n lateen` made of the statement. */
  signature: z.string().max(8_192),
});

/** The SSH host certificate that most fleets have, and a signature with the host's key. */
export function sshPopAttestor({ authorities, binding, clock }: SshPopOptions): Attestor {
  return {
    properties: {
      method: "ssh-pop",
      bindsTo: "a host name of the SSH host certificate",
      reattestable: true,
      tofu: false,
      strength: "possession",
      challenged: true,
    },
    attest: async ({ evidence, challenge, publicKeyDer, nodeName }) => {
      const proof = readEvidence(evidenceSchema, evidence);
      if (proof === undefined) return refused("the evidence is malformed");
      const verdict = verifySshHostCertificate(proof.certificate, authorities, clock.now());
      if (!verdict.ok) return refused(`the SSH host certificate: ${verdict.reason}`);
      const { certificate } = verdict;
      const statement = possessionStatement("ssh-pop", challenge, publicKeyDer);
      if (!verifySshSig(proof.signature, statement, SSH_NAMESPACE, certificate)) {
        return refused("the statement is not signed with the host's key");
      }
      if (!certificate.principals.includes(nodeName)) {
        return refused(
          `the certificate is of ${certificate.principals.join(", ").slice(0, 200)}, not of ${nodeName}`,
        );
      }
      return { kind: "host", subject: nodeName, nodeName, binding };
    },
  };
}
