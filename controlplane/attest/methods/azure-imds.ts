import * as z from "zod";
import { messageOf } from "../../../mesh/errors.ts";
import { type CertificateFacts, OID, SAN_DNS } from "../../../mesh/identity/certificate-facts.ts";
import { joinPemChain } from "../../../mesh/identity/pem.ts";
import { challengeDigits } from "../../../mesh/identity/possession.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { AgentBinding } from "../agent-binding.ts";
import { type Attestor, refused } from "../attestor.ts";
import { readEvidence } from "../evidence.ts";
import { readSignedDocument, type SignedDocument } from "../proof/pkcs7.ts";
import { verifyChain } from "../proof/verify-chain.ts";

export interface AzureImdsOptions {
  /** PEM roots that the metadata service's certificate leads to. */
  readonly roots: readonly string[];
  readonly subscriptions: readonly string[];
  /** What machines may have. */
  readonly binding: AgentBinding;
  readonly clock: Clock;
}

const documentSchema = z.object({
  nonce: z.string(),
  vmId: z.string().regex(/^[0-9A-Fa-f-]{36}$/),
  subscriptionId: z.string().regex(/^[0-9A-Fa-f-]{36}$/),
});

const SIGNER = /^(?:[a-z0-9-]+\.)?metadata\.azure\.com$/;

/** Azure's attested document. Its nonce answers the challenge, so one that was made earlier is of no use. */
export function azureImdsAttestor({ roots, subscriptions, binding, clock }: AzureImdsOptions): Attestor {
  return {
    properties: {
      method: "azure-imds",
      bindsTo: "the virtual machine",
      reattestable: false,
      tofu: true,
      strength: "platform",
      challenged: true,
    },
    attest: async ({ evidence, challenge }) => {
      let signed: SignedDocument;
      try {
        signed = readSignedDocument(Buffer.from(evidence, "base64"));
      } catch (error) {
        return refused(messageOf(error));
      }
      const chainPem = joinPemChain(signed.certificates);
      const chain = verifyChain(chainPem, { roots, now: clock.now(), purpose: OID.serverAuth });
      if (!chain.ok) return refused(chain.reason);
      if (!isMetadataService(chain.facts)) return refused("the signer is not Azure's metadata service");
      if (!signed.isSignedBy(chain.leaf.publicKey)) return refused("the signer did not sign the document");
      const document = readEvidence(documentSchema, signed.content.toString("utf8"));
      if (document === undefined) return refused("the document is malformed");
      const { nonce, vmId, subscriptionId } = document;
      if (nonce !== challengeDigits(challenge)) return refused("the document does not answer the challenge");
      if (!subscriptions.includes(subscriptionId))
        return refused(`the subscription ${subscriptionId} is not allowed`);
      return { kind: "host", subject: `${subscriptionId}/${vmId}`, binding };
    },
  };
}

function isMetadataService({ altNames }: CertificateFacts): boolean {
  return altNames.some(({ tag, value }) => tag === SAN_DNS && SIGNER.test(value));
}
