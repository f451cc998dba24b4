import { randomUUID } from "node:crypto";
import { type Attestor, refused } from "../attestor.ts";
import type { JoinTokenStore } from "../join-token-store.ts";

/** A secret that an operator carried to the host: good once. */
export function joinTokenAttestor(tokens: JoinTokenStore): Attestor {
  return {
    properties: {
      method: "join-token",
      bindsTo: "whoever shows the token first, within the token's node name and addresses",
      reattestable: false,
      tofu: false,
      strength: "bearer",
      challenged: false,
    },
    attest: async ({ evidence, publicKeyDer, nodeName, peerAddress }) => {
      const agentId = randomUUID();
      const redemption = tokens.redeem({
        secret: evidence,
        publicKeyDer,
        nodeName,
        address: peerAddress,
        agentId,
      });
      if (!redemption.ok) return refused(redemption.reason);
      const { tokenId, binding } = redemption;
      return { kind: "host", subject: tokenId, agentId: redemption.agentId, binding };
    },
  };
}
