import { createPrivateKey, X509Certificate } from "node:crypto";
import { MeshError } from "../../../mesh/errors.ts";
import { pemToDer, splitPemChain } from "../../../mesh/identity/pem.ts";
import {
  type RevokedCertificates,
  readRevokedCertificates,
} from "../../../mesh/identity/revoked-certificates.ts";
import { describeSpiffeId, parseSpiffeId, type SpiffeId } from "../../../mesh/identity/spiffe-id.ts";
import { SVID_SECRET } from "../../../mesh/xds/names.ts";
import type { Secret } from "../../model/tls.ts";
import { LivePeers } from "./live-peers.ts";

/** A certificate of our own, as SDS gave it last: the SVID, or one for servers and clients outside the mesh. */
export interface HeldCertificate {
  readonly chainPem: string;
  readonly keyPem: string;
  /** Undefined: it is no SVID. */
  readonly spiffeId: SpiffeId | undefined;
  readonly notAfterMs: number;
  /** Grows with every change. */
  readonly version: number;
}

export interface HeldRoots {
  readonly pem: string;
  /** PEM, one each. */
  readonly crls: readonly string[];
  /** What their authorities have taken back. */
  readonly revoked: readonly RevokedCertificates[];
  readonly version: number;
}

/** Some ten thousand entries; the agent takes no longer one. */
const LONGEST_LIST = 1 << 20;

/** The secrets of one proxy, in memory only. Those who use them are told of each change. */
export class SecretStore {
  /** Connections under these secrets: a ban ends those of the banned. */
  readonly livePeers: LivePeers = new LivePeers();
  readonly #certificates = new Map<string, HeldCertificate>();
  readonly #roots = new Map<string, HeldRoots>();
  readonly #listeners = new Set<() => void>();
  #version = 0;

  /** Throws `identity.invalid` when certificate and key do not belong together; the former secret then stays. */
  put(secret: Secret): void {
    const version = ++this.#version;
    if (secret.kind === "roots") {
      for (const pem of splitPemChain(secret.pem)) void new X509Certificate(pem);
      const revoked = secret.crls.map((pem) =>
        readRevokedCertificates(pemToDer(pem, "X509 CRL"), LONGEST_LIST),
      );
      this.#roots.set(secret.name, { pem: secret.pem, crls: secret.crls, revoked, version });
      this.livePeers.endRevoked(revoked);
    } else {
      this.#certificates.set(secret.name, { ...readCertificate(secret), version });
    }
    for (const listener of this.#listeners) listener();
  }

  certificate(name: string | undefined): HeldCertificate | undefined {
    return name === undefined ? undefined : this.#certificates.get(name);
  }

  roots(name: string | undefined): HeldRoots | undefined {
    return name === undefined ? undefined : this.#roots.get(name);
  }

  has(name: string): boolean {
    return this.#certificates.has(name) || this.#roots.has(name);
  }

  /** All that are held, without keys. */
  shown(): readonly {
    readonly name: string;
    readonly use: "ca_cert" | "cert_chain";
    readonly pem: string;
  }[] {
    return [
      ...[...this.#certificates].map(([name, { chainPem: pem }]) => ({
        name,
        use: "cert_chain" as const,
        pem,
      })),
      ...[...this.#roots].map(([name, { pem }]) => ({ name, use: "ca_cert" as const, pem })),
    ];
  }

  /** Returns the way to stop listening. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function readCertificate(secret: Extract<Secret, { kind: "certificate" }>): Omit<HeldCertificate, "version"> {
  const leaf = new X509Certificate(secret.chainPem);
  if (!leaf.checkPrivateKey(createPrivateKey(secret.keyPem))) {
    throw new MeshError(
      "identity.invalid",
      `secret ${secret.name}: the private key is not the certificate's`,
    );
  }
  // Our own certificate, so that Node's rendering of its names is no way in for anyone.
  const uri = /(?:^|, )URI:(spiffe:[^,]*)/.exec(leaf.subjectAltName ?? "")?.[1];
  return {
    chainPem: secret.chainPem,
    keyPem: secret.keyPem,
    // The SVID's secret must hold one; a credential may.
    spiffeId: uri === undefined && secret.name !== SVID_SECRET ? undefined : parseSpiffeId(uri ?? ""),
    notAfterMs: leaf.validToDate.getTime(),
  };
}

/** Empty without an SVID: then no peer is of it. */
export function trustDomainOf({ spiffeId }: Pick<HeldCertificate, "spiffeId">): string {
  return spiffeId === undefined ? "" : describeSpiffeId(spiffeId).trustDomain;
}
