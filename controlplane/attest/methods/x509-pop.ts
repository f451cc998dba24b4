import { createHash, type X509Certificate } from "node:crypto";
import { type CertificateFacts, OID, SAN_DNS } from "../../../mesh/identity/certificate-facts.ts";
import { latin1 } from "../../../mesh/identity/der.ts";
import { possessionStatement } from "../../../mesh/identity/possession.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { AgentBinding } from "../agent-binding.ts";
import { type Attestor, refused } from "../attestor.ts";
import { possessionEvidence, readEvidence } from "../evidence.ts";
import { isSignedBy } from "../proof/signature.ts";
import { verifyChain } from "../proof/verify-chain.ts";

export interface X509PopOptions {
  /** PEM roots that the hosts' certificates are of. */
  readonly roots: readonly string[];
  /** What names a host: the one DNS name of its certificate, or the certificate's fingerprint. */
  readonly subject: "dns" | "fingerprint";
  /** What hosts that come this way may have. */
  readonly binding: AgentBinding;
  readonly clock: Clock;
}

/** A certificate that the host has from its own authority, and a signature with its key. */
export function x509PopAttestor({ roots, subject, binding, clock }: X509PopOptions): Attestor {
  return {
    properties: {
      method: "x509-pop",
      bindsTo: subject === "dns" ? "the DNS name of the host's certificate" : "the host's certificate",
      reattestable: true,
      tofu: false,
      strength: "possession",
      challenged: true,
    },
    attest: async ({ evidence, challenge, publicKeyDer }) => {
      const proof = readEvidence(possessionEvidence, evidence);
      if (proof === undefined) return refused("the evidence is malformed");
      const chain = verifyChain(proof.chainPem, { roots, now: clock.now(), purpose: OID.clientAuth });
      if (!chain.ok) return refused(chain.reason);
      const statement = possessionStatement("x509-pop", challenge, publicKeyDer);
      if (!isSignedBy(chain.leaf.publicKey, statement, proof.signature)) {
        return refused("the statement is not signed with the certificate's key");
      }
      const name = subject === "dns" ? onlyDnsName(chain.facts) : fingerprint(chain.leaf);
      if (name === undefined) return refused("the certificate has not exactly one DNS name");
      return { kind: "host", subject: name, ...(subject === "dns" ? { nodeName: name } : {}), binding };
    },
  };
}

const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

function onlyDnsName({ altNames }: CertificateFacts): string | undefined {
  const [first, ...more] = altNames.filter(({ tag }) => tag === SAN_DNS);
  return first !== undefined && more.length === 0 && HOST_NAME.test(first.value) ? first.value : undefined;
}

function fingerprint(certificate: X509Certificate): string {
  return createHash("sha256").update(latin1(certificate.raw), "latin1").digest("hex");
}
