import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { MeshError } from "../../../mesh/errors.ts";
import { parseAccessToken } from "./access-token.ts";
import type { AccessTokenStore } from "./access-token-store.ts";
import type { Caller } from "./caller.ts";
import { type CertificateRule, callerOfCertificate } from "./client-certificates.ts";
import type { OidcVerifier } from "./oidc.ts";

/** The credentials that count on the network. */
export interface Credentials {
  /** The first admin's: whoever can read the server's state directory. */
  readonly adminToken: string;
  readonly accessTokens: Pick<AccessTokenStore, "verify">;
  readonly certificates: readonly CertificateRule[];
  readonly oidc: Pick<OidcVerifier, "verify"> | undefined;
}

/** Who can open the unix socket (0600 in a directory 0700) owns the server. */
export const SOCKET_CALLER: Caller = { credential: "socket", name: "socket", grant: { role: "admin" } };

/**
 * Who sends a request over the network: its bearer token says it, and without one its client certificate. A token that is not
 * good is refused even where the certificate would do: nothing falls through to another credential. Throws
 * `admin.unauthorized`, the same for whatever is wrong, and `admin.unavailable`.
 */
export async function authenticate(request: IncomingMessage, credentials: Credentials): Promise<Caller> {
  const { authorization } = request.headers;
  const caller =
    authorization === undefined
      ? ofCertificate(request, credentials)
      : await ofToken(authorization, credentials);
  if (caller !== undefined) return caller;
  throw new MeshError("admin.unauthorized", "this call needs a credential", {
    hint: "set LATEEN_TOKEN_FILE to a file with an access token (lateen access create on the server's host makes one)",
  });
}

function ofCertificate({ socket }: IncomingMessage, { certificates }: Credentials): Caller | undefined {
  return socket instanceof TLSSocket ? callerOfCertificate(socket, certificates) : undefined;
}

async function ofToken(
  authorization: string,
  { adminToken, accessTokens, oidc }: Credentials,
): Promise<Caller | undefined> {
  const [, token] = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization) ?? [];
  if (token === undefined) return undefined;
  const accessToken = parseAccessToken(token);
  if (accessToken !== undefined) {
    const record = accessTokens.verify(accessToken);
    return record && { credential: "access-token", name: record.name, grant: record.grant };
  }
  // Hashes have one length, and their comparison tells an attacker nothing about the token.
  if (timingSafeEqual(sha256(token), sha256(adminToken))) {
    return { credential: "admin-token", name: "admin", grant: { role: "admin" } };
  }
  return token.split(".").length === 3 ? await oidc?.verify(token) : undefined;
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
