import type { X509Certificate } from "node:crypto";
import type { RevokedCertificates } from "../../../mesh/identity/revoked-certificates.ts";
import { describeSpiffeId, type SpiffeId } from "../../../mesh/identity/spiffe-id.ts";
import { verifyPeerSvid } from "../../../mesh/identity/verify-peer-svid.ts";
import type { StringTest } from "../../tables/matchers.ts";

/** A peer that was verified. */
export interface PeerCertificate {
  readonly uri: SpiffeId;
  /** SHA-256 of the certificate's DER, hexadecimal. */
  readonly hash: string;
  /** Comma-separated distinguished name; empty for most SVIDs. */
  readonly subject: string;
}

export type PeerVerdict =
  | { readonly ok: true; readonly peer: PeerCertificate }
  | { readonly ok: false; readonly reason: string };

export interface PeerRules {
  readonly trustDomain: string;
  /** Any of them must hold; none: every workload of the trust domain. */
  readonly sans: readonly StringTest[];
  readonly nowMs: number;
  readonly revoked: readonly RevokedCertificates[];
}

/**
 * Judges the certificate of a finished handshake, resumed ones included (a ticket may be older than the certificate's
 * end). The chain is OpenSSL's part and was checked before.
 */
export function judgePeer(certificate: X509Certificate | undefined, rules: PeerRules): PeerVerdict {
  if (certificate === undefined) return { ok: false, reason: "the peer has no certificate" };
  if (certificate.validToDate.getTime() < rules.nowMs)
    return { ok: false, reason: "the peer's certificate has expired" };
  const verdict = verifyPeerSvid(certificate.raw, rules.trustDomain, rules.revoked);
  if (!verdict.ok) return { ok: false, reason: `the peer's certificate: ${verdict.reason}` };
  const { spiffeId } = verdict;
  if (describeSpiffeId(spiffeId).kind !== "workload")
    return { ok: false, reason: `${spiffeId} is not a workload` };
  if (rules.sans.length > 0 && !rules.sans.some((matches) => matches(spiffeId))) {
    return { ok: false, reason: `${spiffeId} is not among the identities that are accepted here` };
  }
  return {
    ok: true,
    peer: {
      uri: spiffeId,
      hash: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
      subject: certificate.subject?.replaceAll("\n", ",") ?? "",
    },
  };
}
