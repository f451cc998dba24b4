import type { PeerCertificate, TLSSocket } from "node:tls";
import type { Caller, Grant } from "./caller.ts";

/** Whom a client certificate stands for, by one of its names, and what that one may do. */
export interface CertificateRule extends Grant {
  /** A subject alternative name with its kind, as in `URI:spiffe://mesh/ci` or `DNS:ci.example`; whole, never a part. */
  readonly san: string;
}

/**
 * The caller that a connection's client certificate stands for: the first rule that names one of its subject alternative
 * names. Undefined without a certificate that was verified against the configured authorities. The subject's common
 * name is not looked at (RFC 9525 §2).
 */
export function callerOfCertificate(
  socket: Pick<TLSSocket, "authorized" | "getPeerCertificate">,
  rules: readonly CertificateRule[],
): Caller | undefined {
  if (!socket.authorized) return undefined;
  const names = subjectAltNames(socket.getPeerCertificate());
  const rule = rules.find(({ san }) => names.includes(san));
  if (rule === undefined) return undefined;
  const { san, role, namespaces } = rule;
  return { credential: "certificate", name: san, grant: { role, namespaces } };
}

/** Each name as `KIND:value`. A value with a comma or a quote is quoted by Node: no rule can name it, so it grants nothing. */
function subjectAltNames({ subjectaltname = "" }: Partial<PeerCertificate>): readonly string[] {
  if (subjectaltname.includes('"')) return [];
  return subjectaltname.split(", ").filter((name) => name !== "");
}
