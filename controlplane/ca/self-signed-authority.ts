import { createPublicKey, type KeyObject, sign, type X509Certificate } from "node:crypto";
import { MeshError } from "../../mesh/errors.ts";
import { derToPem } from "../../mesh/identity/pem.ts";
import { describeSpiffeId, type SpiffeIdSubject } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { CertificateAuthority, CertificateRequest, IssuedCertificate } from "./certificate-authority.ts";
import { issuerFields, type LeafFields, signLeaf, type Validity } from "./certificate-template.ts";
import { loadOrCreateRoot } from "./root-files.ts";
import { randomSerial } from "./serial.ts";
import { type Issuer, validateIssued } from "./validate-issued.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** How long certificates live, in milliseconds. */
export interface Lifetimes {
  readonly workloadMs: number;
  readonly agentMs: number;
  readonly serverMs: number;
  /** Bounds of what a caller may wish for. */
  readonly minMs: number;
  readonly maxMs: number;
}

export const DEFAULT_LIFETIMES: Lifetimes = {
  workloadMs: DAY,
  agentMs: 7 * DAY,
  serverMs: DAY,
  minMs: 5 * MINUTE,
  maxMs: 7 * DAY,
};

/** Hosts' clocks drift: a certificate holds from a minute before it was made. */
const BACKDATE_MS = MINUTE;

export interface SelfSignedOptions {
  /** Holds `root.pem` and `root.key`; made when it is not there. */
  readonly directory: string;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly lifetimes?: Partial<Lifetimes>;
}

/**
 * An authority whose root key is on this server's disk. The first start makes it. Throws `config.invalid` when the
 * files may be read by others, do not belong together, or are another trust domain's.
 */
export async function openSelfSignedAuthority(options: SelfSignedOptions): Promise<CertificateAuthority> {
  const root = await loadOrCreateRoot(options.directory, options.trustDomain, options.clock.now());
  const lifetimes = { ...DEFAULT_LIFETIMES, ...options.lifetimes };
  return new SelfSignedAuthority(root.certificate, root.key, options.trustDomain, lifetimes, options.clock);
}

class SelfSignedAuthority implements CertificateAuthority {
  readonly bundle: TrustBundle;
  readonly #key: KeyObject;
  readonly #issuer: Issuer;
  readonly #fields: ReturnType<typeof issuerFields>;
  readonly #lifetimes: Lifetimes;
  readonly #clock: Clock;

  constructor(
    root: X509Certificate,
    key: KeyObject,
    trustDomain: TrustDomain,
    lifetimes: Lifetimes,
    clock: Clock,
  ) {
    const publicKey = createPublicKey(key);
    this.bundle = { trustDomain, roots: [root.toString()], sequence: 1 };
    this.#key = key;
    this.#issuer = { trustDomain, certificate: root, publicKey };
    this.#fields = issuerFields(trustDomain, publicKey.export({ type: "spki", format: "der" }));
    this.#lifetimes = lifetimes;
    this.#clock = clock;
  }

  async issue(request: CertificateRequest): Promise<IssuedCertificate> {
    const leaf: LeafFields = {
      ...this.#validity(request),
      serial: randomSerial(),
      spiffeId: request.spiffeId,
      publicKeyDer: request.publicKeyDer,
      dnsNames: request.dnsNames ?? [],
      ipAddresses: request.ipAddresses ?? [],
    };
    const bytes = signLeaf(this.#fields, leaf, (tbs) => sign("sha256", tbs, this.#key));
    validateIssued(bytes, leaf, this.#issuer);
    return {
      spiffeId: leaf.spiffeId,
      chain: [derToPem(bytes, "CERTIFICATE"), ...this.bundle.roots],
      serial: Buffer.from(leaf.serial).toString("hex"),
      notBeforeMs: leaf.notBeforeMs,
      notAfterMs: leaf.notAfterMs,
    };
  }

  /** The root does not change while the server runs. */
  onBundleChange(): void {}

  #validity(request: CertificateRequest): Validity {
    const now = this.#clock.now();
    const root = this.#issuer.certificate;
    const ttl = lifetimeFor(describeSpiffeId(request.spiffeId), request.ttlMs, this.#lifetimes);
    const notBeforeMs = wholeSecond(Math.max(now - BACKDATE_MS, root.validFromDate.getTime()));
    const notAfterMs = wholeSecond(Math.min(now + ttl, root.validToDate.getTime()));
    if (notAfterMs > now) return { notBeforeMs, notAfterMs };
    throw new MeshError(
      "ca.unavailable",
      `issue a certificate for ${request.spiffeId}: the root has expired`,
      {
        hint: `the root ended at ${root.validTo}; is the clock right?`,
      },
    );
  }
}

/** The wish within the bounds, or what is usual for this kind of identity. */
export function lifetimeFor(
  subject: SpiffeIdSubject,
  wishMs: number | undefined,
  lifetimes: Lifetimes,
): number {
  const usual = usualLifetime(subject, lifetimes);
  if (wishMs === undefined || !(wishMs > 0)) return usual;
  // Whoever configured a shorter life than the lower bound means it.
  return Math.min(Math.max(wishMs, Math.min(lifetimes.minMs, usual)), lifetimes.maxMs);
}

function usualLifetime(subject: SpiffeIdSubject, lifetimes: Lifetimes): number {
  switch (subject.kind) {
    case "agent":
      return lifetimes.agentMs;
    case "server":
      return lifetimes.serverMs;
    case "workload":
    case "other":
      return lifetimes.workloadMs;
    default:
      return subject satisfies never;
  }
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / SECOND) * SECOND;
}
