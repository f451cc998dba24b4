import { X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import { connect, createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { CertificateName, ForeignTls as ForeignTlsModel } from "../../model/tls.ts";
import { carriedBy } from "../break-off.ts";
import { isFor } from "./certificate-names.ts";
import { secured } from "./client-tls.ts";
import { parameterOptions } from "./contexts.ts";
import { readSource } from "./read-source.ts";
import type { SecretStore } from "./secret-store.ts";
import type { TlsConnection } from "./server-tls.ts";

export interface ForeignTlsOptions {
  readonly tls: ForeignTlsModel;
  readonly secrets: Pick<SecretStore, "certificate" | "roots">;
  /** Offered, first choice first. */
  readonly alpn: readonly string[];
}

/** The host of a call, where its connection is for this host alone. */
export interface CalledHost {
  readonly serverName: string;
  /** Its certificate must be for the host. */
  readonly verify: boolean;
}

/**
 * Calls servers outside the mesh over TLS: the chain against the given roots, and the names of the certificate. Files
 * are read once, when the cluster comes; Secrets are followed.
 */
export class ForeignTls {
  readonly #tls: ForeignTlsModel;
  readonly #secrets: ForeignTlsOptions["secrets"];
  /** Of the files and inline texts, which do not change. */
  readonly #given: SecureContextOptions;
  readonly #alpn: string[];
  #armed: { readonly epoch: string; readonly context: SecureContext } | undefined;

  /** Throws `identity.invalid` when a file cannot be read. */
  constructor({ tls, secrets, alpn }: ForeignTlsOptions) {
    this.#tls = tls;
    this.#secrets = secrets;
    this.#given = givenOptions(tls);
    this.#alpn = [...alpn];
  }

  /** Changes with the Secrets that are used. */
  get epoch(): string {
    const { identity, roots } = this.#held();
    return `${identity?.version ?? 0}/${roots?.version ?? 0}`;
  }

  /** Makes a connected socket a TLS one. On failure, which is a rejection with the reason, it is destroyed. */
  async connect(raw: Socket, endpoint: string, called?: CalledHost): Promise<TlsConnection> {
    const context = this.#arm();
    const verified = this.#tls.roots !== undefined;
    const serverName = called?.serverName ?? this.#tls.serverName;
    const names = called?.verify ? [nameOfHost(called.serverName)] : this.#tls.names;
    const socket = connect({
      socket: raw,
      secureContext: context,
      ...(serverName !== "" && isIP(serverName) === 0 ? { servername: serverName } : {}),
      ...(this.#alpn.length > 0 ? { ALPNProtocols: this.#alpn } : {}),
      rejectUnauthorized: verified,
      checkServerIdentity: (_host, { raw: der }) =>
        names.length === 0 || names.some((name) => isFor(new X509Certificate(der), name))
          ? undefined
          : new Error(`the certificate is not for ${names.map(({ name }) => name).join(" or ")}`),
    });
    socket.on("error", () => {});
    carriedBy(socket, raw);
    try {
      await secured(socket);
      return { socket, peer: undefined };
    } catch (error) {
      socket.destroy();
      throw new MeshError("identity.invalid", `TLS with ${endpoint}: ${messageOf(error)}`, { cause: error });
    }
  }

  #arm(): SecureContext {
    const { epoch } = this;
    if (this.#armed?.epoch === epoch) return this.#armed.context;
    const { identity, roots } = this.#held();
    const tls = this.#tls;
    if (isSds(tls.identity) && identity === undefined) throw missing(`certificate "${tls.identity.sds}"`);
    if (isSds(tls.roots) && roots === undefined) throw missing(`roots "${tls.roots.sds}"`);
    const context = createSecureContext({
      ...this.#given,
      ...(identity && { cert: identity.chainPem, key: identity.keyPem }),
      ...(roots && { ca: [roots.pem], ...(roots.crls.length > 0 && { crl: [...roots.crls] }) }),
    });
    this.#armed = { epoch, context };
    return context;
  }

  #held(): {
    readonly identity: ReturnType<SecretStore["certificate"]>;
    readonly roots: ReturnType<SecretStore["roots"]>;
  } {
    const { identity, roots } = this.#tls;
    return {
      identity: isSds(identity) ? this.#secrets.certificate(identity.sds) : undefined,
      roots: isSds(roots) ? this.#secrets.roots(roots.sds) : undefined,
    };
  }
}

function isSds(source: object | undefined): source is { readonly sds: string } {
  return source !== undefined && "sds" in source;
}

function missing(what: string): MeshError {
  return new MeshError("identity.invalid", `call over TLS: the ${what} has not come`);
}

function givenOptions(tls: ForeignTlsModel): SecureContextOptions {
  const { identity, roots, crl } = tls;
  return {
    ...parameterOptions(tls),
    // Without roots of our own Node would trust the public web's.
    ca: roots === undefined || "sds" in roots ? [] : [readSource(roots)],
    ...(crl && { crl: readSource(crl) }),
    ...(identity && !("sds" in identity)
      ? { cert: readSource(identity.chain), key: readSource(identity.key) }
      : undefined),
  };
}

function nameOfHost(host: string): CertificateName {
  return { kind: isIP(host) === 0 ? "dns" : "ip", name: host };
}
