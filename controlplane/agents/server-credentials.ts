import { constants } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { ServerCertificate, ServerIdentity } from "../ca/server-identity.ts";

/** Node's default is two minutes. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * TLS 1.3 with a client certificate that may be missing (Join has none yet); one that does not verify counts as
 * missing, too. New handshakes see a new server certificate and a new bundle; connections that are there live on, until
 * the signal is aborted. No session is resumed: each connection proves its identity against today's bundle.
 */
export function agentServerCredentials(
  identity: Pick<ServerIdentity, "current" | "onChange">,
  ca: Pick<CertificateAuthority, "bundle" | "onBundleChange">,
  signal: AbortSignal,
): ServerCredentials {
  const credentials = new AgentServerCredentials(contextOf(identity.current, ca.bundle.roots));
  const update = (): void => credentials.replace(contextOf(identity.current, ca.bundle.roots));
  identity.onChange(update, signal);
  ca.onBundleChange(update, signal);
  return credentials;
}

/** grpc-js's own kinds know neither a minimal TLS version nor, in one, an optional client certificate. */
class AgentServerCredentials extends ServerCredentials {
  constructor(context: SecureContextOptions) {
    super(
      {
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        // A list of protocols is copied for each connection, into a piece of Node's pool of buffers that the connection
        // keeps; with other pieces in use for moments, each keeps most of 64 KiB.
        ALPNCallback: ({ protocols }) => protocols.find((one) => one === "h2"),
      },
      context,
    );
  }

  replace(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf(certificate: ServerCertificate, roots: readonly string[]): SecureContextOptions {
  return {
    minVersion: "TLSv1.3",
    cert: certificate.chainPem,
    key: certificate.keyPem,
    ca: [...roots],
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
