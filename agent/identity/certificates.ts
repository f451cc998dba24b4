import { certificateService } from "../../mesh/agent-api/services.ts";
import { MeshError } from "../../mesh/errors.ts";
import { createCsr } from "../../mesh/identity/csr.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { ServerChannel } from "./channel.ts";
import { exportPrivateKey, generatePrivateKey } from "./private-key.ts";
import { callUnary, isRefusal, serverSaid } from "./unary-call.ts";

/** A key that was just made, and what the server signed for it. */
interface IssuedCertificate {
  /** PKCS#8 PEM. Secret. */
  readonly keyPem: string;
  /** PEM, leaf first, root last. */
  readonly chain: readonly string[];
}

/**
 * Gets a certificate for a new key: for a workload on this host, or for the agent itself when `identity` is undefined.
 * Throws `ca.refused` when the server says no, `ca.unavailable` when it does not answer.
 */
export type IssueCertificate = (
  identity: SpiffeId | undefined,
  signal: AbortSignal,
) => Promise<IssuedCertificate>;

export function issueFrom(channel: ServerChannel): IssueCertificate {
  return async (identity, signal) => {
    const key = await generatePrivateKey();
    try {
      const { certChain } = await callUnary(
        channel.client,
        certificateService.createCertificate,
        {
          csr: createCsr(key),
          validityDuration: 0,
          metadata: identity === undefined ? undefined : { ImpersonatedIdentity: identity },
        },
        signal,
      );
      return { keyPem: exportPrivateKey(key), chain: certChain };
    } catch (cause) {
      const what = `get a certificate for ${identity ?? "this agent"}: ${serverSaid(cause)}`;
      throw isRefusal(cause)
        ? new MeshError("ca.refused", what, {
            cause,
            hint: "look at the workload's state in `lateen agent status`, and at the server's log",
          })
        : new MeshError("ca.unavailable", what, { cause });
    }
  };
}
