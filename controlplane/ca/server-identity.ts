import { generateKeyPairSync } from "node:crypto";
import { messageOf } from "../../mesh/errors.ts";
import { joinPemChain } from "../../mesh/identity/pem.ts";
import { renewalDelayMs } from "../../mesh/identity/rotation.ts";
import { serverSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";

/** What a TLS server presents. Times are milliseconds since the epoch. */
export interface ServerCertificate {
  /** Key identifier of the authority that signed it. */
  readonly authority: string;
  /** PEM, leaf first, root last: an agent that joins finds the root that its token pins in here. */
  readonly chainPem: string;
  /** PKCS#8 PEM. Secret. */
  readonly keyPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface ServerIdentityOptions {
  readonly ca: CertificateAuthority;
  /** Names beside the SPIFFE ID by which clients that check names may reach the server. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

const RETRY = { firstMs: 1000, maxMs: 60_000 };

/** The server's own certificate, `spiffe://TD/lateen/server`, renewed with a new key in time. */
export class ServerIdentity {
  readonly #options: ServerIdentityOptions;
  readonly #listeners = new Set<(certificate: ServerCertificate) => void>();
  #current: ServerCertificate;

  private constructor(options: ServerIdentityOptions, first: ServerCertificate) {
    this.#options = options;
    this.#current = first;
  }

  /** Rejects when the authority cannot issue. */
  static async open(options: ServerIdentityOptions): Promise<ServerIdentity> {
    return new ServerIdentity(options, await issue(options));
  }

  get current(): ServerCertificate {
    return this.#current;
  }

  /** Calls back with each new certificate until the signal is aborted. */
  onChange(listener: (certificate: ServerCertificate) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  /**
   * Renews until the signal is aborted: in time, and at once when the authority changes. A renewal that fails is tried
   * again; the old certificate stays meanwhile.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { ca, clock, random, log } = this.#options;
    let failures = 0;
    let waiting = new AbortController();
    ca.onBundleChange((bundle) => {
      if (bundle.retiring.includes(this.#current.authority)) waiting.abort();
    }, signal);
    while (!signal.aborted) {
      const wait = failures > 0 ? backoffMs(RETRY, failures - 1, random()) : this.#untilRenewal();
      await clock.sleep(wait, AbortSignal.any([signal, waiting.signal]));
      if (signal.aborted) return;
      waiting = new AbortController();
      try {
        this.#current = await issue(this.#options);
        failures = 0;
        for (const listener of this.#listeners) listener(this.#current);
      } catch (error) {
        failures++;
        log.error("renewing the server certificate failed", { reason: messageOf(error), failures });
      }
    }
  }

  #untilRenewal(): number {
    const { clock, random } = this.#options;
    // Not at once, even when it is overdue from the start: a certificate cannot live shorter than this anyway.
    return Math.max(RETRY.firstMs, renewalDelayMs(this.#current, clock.now(), random()));
  }
}

async function issue({ ca, dnsNames, ipAddresses, log }: ServerIdentityOptions): Promise<ServerCertificate> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const spiffeId = serverSpiffeId(ca.bundle.trustDomain);
  const publicKeyDer = publicKey.export({ type: "spki", format: "der" });
  const issued = await ca.issue({ spiffeId, publicKeyDer, dnsNames, ipAddresses });
  const { serial, authority, notBeforeMs, notAfterMs } = issued;
  log.info("certificate issued", { spiffeId, serial, notAfter: new Date(notAfterMs).toISOString() });
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { authority, chainPem: joinPemChain(issued.chain), keyPem, notBeforeMs, notAfterMs };
}
