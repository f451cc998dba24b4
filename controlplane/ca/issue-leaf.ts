import { MeshError } from "../../mesh/errors.ts";
import { derToPem } from "../../mesh/identity/pem.ts";
import { describeSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { CertificateRequest, IssuedCertificate } from "./certificate-authority.ts";
import { type LeafFields, signLeaf, type Validity } from "./certificate-template.ts";
import type { Issuer } from "./issuer.ts";
import { type Lifetimes, lifetimeFor } from "./lifetimes.ts";
import { randomSerial } from "./serial.ts";
import { validateIssued } from "./validate-issued.ts";

/** Hosts' clocks drift: a certificate holds from a minute before it was made. */
const BACKDATE_MS = 60_000;

/**
 * Signs a leaf and reads it back. `path` follows it in the chain. Throws `ca.unavailable` when the issuer has expired and
 * `ca.self-check` when the result is not what was asked for.
 */
export function issueLeaf(
  request: CertificateRequest,
  issuer: Issuer,
  path: readonly string[],
  lifetimes: Lifetimes,
  now: number,
): IssuedCertificate {
  const leaf: LeafFields = {
    ...validity(request, issuer, lifetimes, now),
    serial: randomSerial(),
    spiffeId: request.spiffeId,
    publicKeyDer: request.publicKeyDer,
    dnsNames: request.dnsNames ?? [],
    ipAddresses: request.ipAddresses ?? [],
  };
  const bytes = signLeaf(issuer.fields, leaf, issuer.sign);
  validateIssued(bytes, leaf, issuer);
  return {
    spiffeId: leaf.spiffeId,
    chain: [derToPem(bytes, "CERTIFICATE"), ...path],
    serial: Buffer.from(leaf.serial).toString("hex"),
    authority: issuer.id,
    notBeforeMs: leaf.notBeforeMs,
    notAfterMs: leaf.notAfterMs,
  };
}

function validity(
  request: CertificateRequest,
  { validFromMs, validToMs }: Issuer,
  lifetimes: Lifetimes,
  now: number,
): Validity {
  const ttl = lifetimeFor(describeSpiffeId(request.spiffeId), request.ttlMs, lifetimes);
  const notBeforeMs = wholeSecond(Math.max(now - BACKDATE_MS, validFromMs));
  const notAfterMs = wholeSecond(Math.min(now + ttl, validToMs));
  if (notAfterMs > now) return { notBeforeMs, notAfterMs };
  throw new MeshError("ca.unavailable", `issue a certificate for ${request.spiffeId}: the CA has expired`, {
    hint: `it ended at ${new Date(validToMs).toISOString()}; is the clock right?`,
  });
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
