import type { KeyObject } from "node:crypto";
import * as z from "zod";
import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { AgentBinding } from "../agent-binding.ts";
import { type Attestor, refused } from "../attestor.ts";
import { readEvidence } from "../evidence.ts";
import { readSignedDocument, type SignedDocument } from "../proof/pkcs7.ts";

export interface AwsIidOptions {
  /** Keys of AWS's certificates for the regions. */
  readonly keys: readonly KeyObject[];
  readonly accounts: readonly string[];
  /** Empty: any. */
  readonly regions: readonly string[];
  /** What instances may have. */
  readonly binding: AgentBinding;
  readonly clock: Clock;
}

const documentSchema = z.object({
  accountId: z.string().regex(/^\d{12}$/),
  region: z.string().regex(/^[a-z0-9-]{1,32}$/),
  instanceId: z.string().regex(/^i-[0-9a-f]{8,17}$/),
  pendingTime: z.iso.datetime(),
});

/** An instance joins as it starts: an old document is one that has lain about. */
const NEWEST_MS = 5 * 60_000;

/** AWS's instance identity document. */
export function awsIidAttestor({ keys, accounts, regions, binding, clock }: AwsIidOptions): Attestor {
  return {
    properties: {
      method: "aws-iid",
      bindsTo: "the EC2 instance",
      reattestable: false,
      tofu: true,
      strength: "platform",
      challenged: false,
    },
    attest: async ({ evidence }) => {
      let signed: SignedDocument;
      try {
        signed = readSignedDocument(Buffer.from(evidence, "base64"));
      } catch (error) {
        return refused(messageOf(error));
      }
      if (!keys.some((key) => signed.isSignedBy(key))) return refused("AWS did not sign the document");
      const document = readEvidence(documentSchema, signed.content.toString("utf8"));
      if (document === undefined) return refused("the document is malformed");
      const { accountId, region, instanceId, pendingTime } = document;
      if (!accounts.includes(accountId)) return refused(`the account ${accountId} is not allowed`);
      if (regions.length > 0 && !regions.includes(region))
        return refused(`the region ${region} is not allowed`);
      if (Math.abs(clock.now() - Date.parse(pendingTime)) > NEWEST_MS) {
        return refused(`the instance ${instanceId} was started at ${pendingTime}, not just now`);
      }
      return { kind: "host", subject: `${accountId}/${region}/${instanceId}`, nodeName: instanceId, binding };
    },
  };
}
