import { derToPem } from "../../mesh/identity/pem.ts";
import { signCrl } from "./certificate-template.ts";
import type { Issuer } from "./issuer.ts";

/** A leaf that nobody is to accept any more. */
export interface DeniedCertificate {
  /** Hexadecimal. */
  readonly serial: string;
  /** Key identifier of the authority that signed it. */
  readonly authority: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** Lists hold from a while ago: hosts' clocks drift, and a list "of the future" would refuse everyone. */
const BACKDATE_MS = 3_600_000;

/**
 * One list of each authority, the ones without entries as well: a peer that wants a list wants one of whoever signed the
 * leaf before it. None at all while nobody is denied. They hold as long as their authority does, because a list that ran
 * out during an outage of the server would refuse the whole mesh; newer ones come by push.
 */
export function revocationLists(
  issuers: readonly Issuer[],
  denied: readonly DeniedCertificate[],
  number: number,
  now: number,
): readonly string[] {
  if (denied.length === 0) return [];
  const byAuthority = Map.groupBy(denied, ({ authority }) => authority);
  return issuers.map((issuer) => {
    const revoked = (byAuthority.get(issuer.id) ?? []).map(({ serial, atMs }) => ({
      serial: Buffer.from(serial, "hex"),
      atMs,
    }));
    const times = { thisUpdateMs: now - BACKDATE_MS, nextUpdateMs: issuer.validToMs };
    return derToPem(signCrl(issuer.fields, { ...times, number, revoked }, issuer.sign), "X509 CRL");
  });
}
