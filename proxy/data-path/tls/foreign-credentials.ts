import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions, type TLSSocket } from "node:tls";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { CertificateSource, ClientRules, DataSource, ForeignServerTls } from "../../model/tls.ts";
import { altNamesOf, isFor } from "./certificate-names.ts";
import { DEFAULT_SUITES, parameterOptions, SESSION_CONTEXT } from "./contexts.ts";
import { describePeer } from "./peer.ts";
import { readSource } from "./read-source.ts";
import type { SecretStore } from "./secret-store.ts";
import type { ClientVerdict, CredentialSource, ServerCredentials } from "./server-credentials.ts";

type Secrets = Pick<SecretStore, "certificate" | "roots">;

interface KeyPair {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly leaf: X509Certificate;
}

/**
 * The settings with what is in files in place of these, which are read once, when the listener comes. Throws
 * `identity.invalid` when a file cannot be read, or holds what OpenSSL cannot use.
 */
export function loadForeignServerTls(tls: ForeignServerTls): ForeignServerTls {
  const { certificates, clients } = tls;
  const loaded: ForeignServerTls = {
    ...tls,
    certificates: certificates.map((source) =>
      "sds" in source ? source : { chain: inText(source.chain), key: inText(source.key) },
    ),
    clients: clients && {
      ...clients,
      roots: "sds" in clients.roots ? clients.roots : inText(clients.roots),
      crl: clients.crl && inText(clients.crl),
    },
  };
  const pairs = loaded.certificates.flatMap((source) => ("sds" in source ? [] : [readPair(source)]));
  // One by one: of several of a kind OpenSSL would look at the last alone.
  for (const pair of pairs)
    tried(() => createSecureContext({ ...givenOptions(loaded), ...presented([pair]) }));
  if (pairs.length === 0) tried(() => createSecureContext(givenOptions(loaded)));
  return loaded;
}

function inText(source: DataSource): DataSource {
  return { text: readSource(source) };
}

/** Certificates for clients outside the mesh: of settings whose files were read, and of Secrets, which are followed. */
export class ForeignCredentials implements CredentialSource {
  readonly asks: CredentialSource["asks"];
  readonly isMesh = false;
  readonly #tls: ForeignServerTls;
  readonly #secrets: Secrets;
  readonly #clock: Clock;
  /** Versions, suites and curves, and what is in files. */
  readonly #given: SecureContextOptions;
  readonly #pairs: ReadonlyMap<CertificateSource, KeyPair>;

  constructor(tls: ForeignServerTls, secrets: Secrets, clock: Clock) {
    this.#tls = tls;
    this.#secrets = secrets;
    this.#clock = clock;
    const { clients } = tls;
    this.asks = {
      client: clients !== undefined,
      insists: clients !== undefined && clients.required && !clients.untrusted,
    };
    this.#pairs = new Map(
      tls.certificates.flatMap((source) => ("sds" in source ? [] : [[source, readPair(source)]])),
    );
    this.#given = givenOptions(tls);
  }

  current(): ServerCredentials | undefined {
    const { certificates, clients } = this.#tls;
    const held = certificates.map((source) => this.#pairOf(source));
    const rootsName = clients && "sds" in clients.roots ? clients.roots.sds : undefined;
    const roots = this.#secrets.roots(rootsName);
    if (!held.every((one) => one !== undefined) || (rootsName !== undefined && roots === undefined))
      return undefined;
    const pairs = held.map(({ pair }) => pair);
    const verification = roots && {
      ca: [roots.pem],
      ...(roots.crls.length > 0 && { crl: [...roots.crls] }),
    };
    const common = { ...this.#given, ...verification };
    return {
      optionsFor: (serverName) => {
        const suited = suitedTo(serverName, pairs);
        const key = suited.map((pair) => pairs.indexOf(pair)).join();
        return { key, options: { ...common, ...presented(suited) } };
      },
      epoch: [...held.map(({ version }) => version), roots?.version ?? 0].join("/"),
      ownUri: pairs[0] && altNamesOf(pairs[0].leaf).uris[0],
    };
  }

  judge(socket: TLSSocket): ClientVerdict {
    const { clients } = this.#tls;
    if (clients === undefined) return { ok: true, peer: undefined };
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) {
      return clients.required
        ? { ok: false, reason: "the client has no certificate" }
        : { ok: true, peer: undefined };
    }
    const reason = this.#objection(certificate, clients, socket);
    if (reason !== undefined) return { ok: false, reason };
    return { ok: true, peer: describePeer(certificate, altNamesOf(certificate), !clients.untrusted) };
  }

  #objection(certificate: X509Certificate, clients: ClientRules, socket: TLSSocket): string | undefined {
    const { untrusted, names, hashes, keys } = clients;
    if (!untrusted && !socket.authorized) {
      return `the client's certificate: ${messageOf(socket.authorizationError)}`;
    }
    // A resumed session may be older than its certificate's end.
    if (!untrusted && certificate.validToDate.getTime() < this.#clock.now())
      return "the client's certificate has expired";
    if (names.length > 0 && !names.some((name) => isFor(certificate, name)))
      return "the client's certificate is for nobody who is accepted here";
    const pinned = hashes.includes(hashOf(certificate)) || keys.includes(keyHashOf(certificate));
    if (hashes.length + keys.length > 0 && !pinned)
      return "the client's certificate is none of those that are accepted here";
    return undefined;
  }

  #pairOf(source: CertificateSource): { readonly pair: KeyPair; readonly version: number } | undefined {
    if (!("sds" in source)) {
      const pair = this.#pairs.get(source);
      return pair && { pair, version: 0 };
    }
    const held = this.#secrets.certificate(source.sds);
    if (held === undefined) return undefined;
    const { chainPem, keyPem, version } = held;
    return { pair: { chainPem, keyPem, leaf: new X509Certificate(chainPem) }, version };
  }
}

function readPair(source: Exclude<CertificateSource, { readonly sds: string }>): KeyPair {
  const chainPem = readSource(source.chain);
  const keyPem = readSource(source.key);
  const leaf = tried(() => new X509Certificate(chainPem));
  const isItsKey = tried(() => leaf.checkPrivateKey(createPrivateKey(keyPem)));
  if (!isItsKey)
    throw new MeshError("identity.invalid", "set up TLS: the private key is not the certificate's");
  return { chainPem, keyPem, leaf };
}

function givenOptions(tls: ForeignServerTls): SecureContextOptions {
  const { clients, ciphers } = tls;
  return {
    ...parameterOptions({ ...tls, ciphers: ciphers.length > 0 ? ciphers : DEFAULT_SUITES }),
    // Without roots of our own Node would trust the public web's.
    ca: clients && !("sds" in clients.roots) ? [readSource(clients.roots)] : [],
    ...(clients?.crl && { crl: readSource(clients.crl) }),
    sessionIdContext: SESSION_CONTEXT,
  };
}

/** The first of each kind of key: OpenSSL shows the one that the client can check. */
function presented(pairs: readonly KeyPair[]): SecureContextOptions {
  const kinds = new Map<string, KeyPair>();
  for (const pair of pairs) {
    const kind = pair.leaf.publicKey.asymmetricKeyType ?? "";
    if (!kinds.has(kind)) kinds.set(kind, pair);
  }
  const chosen = [...kinds.values()];
  return { cert: chosen.map(({ chainPem }) => chainPem), key: chosen.map(({ keyPem }) => keyPem) };
}

/** Those certificates that are for the name that a client asks for, or all where none is (Envoy). */
function suitedTo(serverName: string, pairs: readonly KeyPair[]): readonly KeyPair[] {
  if (pairs.length === 1 || serverName === "") return pairs;
  const suited = pairs.filter(({ leaf }) => isFor(leaf, { kind: "dns", name: serverName }));
  return suited.length > 0 ? suited : pairs;
}

function hashOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(":", "").toLowerCase();
}

function keyHashOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("base64");
}

function tried<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new MeshError("identity.invalid", `set up TLS: ${messageOf(cause)}`, {
      hint: "look at the certificate, key, roots, suites and curves that the Gateway or Sidecar names",
      cause,
    });
  }
}
