import type { X509Certificate } from "node:crypto";
import type { RevokedCertificates } from "../../../mesh/identity/revoked-certificates.ts";
import { describeSpiffeId } from "../../../mesh/identity/spiffe-id.ts";
import { type PeerSvidVerdict, verifyPeerSvid } from "../../../mesh/identity/verify-peer-svid.ts";
import type { StringMatch } from "../../model/match.ts";
import type { StringTest } from "../../tables/matchers.ts";
import type { AltNames } from "./certificate-names.ts";

/** What a peer has shown of itself. */
export interface PeerCertificate {
  /** Of the mesh: its SPIFFE ID. Of a stranger: the first URI among its names. */
  readonly uri: string | undefined;
  /**
   * By which policies know it: all its URIs, or its DNS names where it has none, or its subject. Undefined: nobody has
   * verified any.
   */
  readonly principals: readonly string[] | undefined;
  readonly dns: readonly string[];
  /** SHA-256 of the certificate's DER, hexadecimal. */
  readonly hash: string;
  /** Comma-separated distinguished name; empty for most SVIDs. */
  readonly subject: string;
  readonly certificate: X509Certificate;
}

export type PeerVerdict =
  | { readonly ok: true; readonly peer: PeerCertificate }
  | { readonly ok: false; readonly reason: string };

export interface PeerRules {
  /** The own one, and others whose names are accepted: a mesh that was renamed has peers under both. */
  readonly trustDomains: readonly string[];
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
  const verdict = verifyInAny(certificate.raw, rules.trustDomains, rules.revoked);
  if (!verdict.ok) return { ok: false, reason: `the peer's certificate: ${verdict.reason}` };
  const { spiffeId } = verdict;
  if (describeSpiffeId(spiffeId).kind !== "workload")
    return { ok: false, reason: `${spiffeId} is not a workload` };
  if (rules.sans.length > 0 && !rules.sans.some((matches) => matches(spiffeId))) {
    return { ok: false, reason: `${spiffeId} is not among the identities that are accepted here` };
  }
  return { ok: true, peer: describePeer(certificate, { uris: [spiffeId], dns: [] }, true) };
}

/** `verified`: its names were checked, so that policies may go by them. */
export function describePeer(
  certificate: X509Certificate,
  { uris, dns }: AltNames,
  verified: boolean,
): PeerCertificate {
  const subject = certificate.subject?.replaceAll("\n", ",") ?? "";
  const names = [uris, dns, [subject]].find((some) => some.length > 0);
  return {
    uri: uris[0],
    principals: verified ? names : undefined,
    dns,
    hash: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    subject,
    certificate,
  };
}

function verifyInAny(
  der: Uint8Array,
  [own = "", ...others]: readonly string[],
  revoked: readonly RevokedCertificates[],
): PeerSvidVerdict {
  const verdict = verifyPeerSvid(der, own, revoked);
  if (verdict.ok) return verdict;
  return others.map((domain) => verifyPeerSvid(der, domain, revoked)).find(({ ok }) => ok) ?? verdict;
}

/** The trust domains that a context's names of peers are of. */
export function namedTrustDomains(sans: readonly StringMatch[]): readonly string[] {
  const domains = sans.flatMap(({ kind, value }) =>
    kind === "prefix" || kind === "exact" ? (/^spiffe:\/\/([^/]+)\//.exec(value)?.[1] ?? []) : [],
  );
  return [...new Set(domains)];
}
