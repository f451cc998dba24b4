import type { TLSSocket } from "node:tls";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { MeshServerTls } from "../../model/tls.ts";
import { compileString, type StringTest } from "../../tables/matchers.ts";
import { tlsMaterial } from "./contexts.ts";
import { judgePeer, namedTrustDomains } from "./peer.ts";
import { type SecretStore, trustDomainOf } from "./secret-store.ts";
import type { ClientVerdict, CredentialSource, ServerCredentials } from "./server-credentials.ts";

/** The workload's own SVID, for peers of the mesh. */
export class MeshCredentials implements CredentialSource {
  readonly asks = { client: true, insists: true } as const;
  readonly isMesh = true;
  readonly #tls: MeshServerTls;
  readonly #secrets: SecretStore;
  readonly #clock: Clock;
  readonly #sans: readonly StringTest[];

  constructor(tls: MeshServerTls, secrets: SecretStore, clock: Clock) {
    this.#tls = tls;
    this.#secrets = secrets;
    this.#clock = clock;
    this.#sans = tls.sans.map(compileString);
  }

  current(): ServerCredentials | undefined {
    const material = tlsMaterial(this.#secrets, this.#tls);
    if (material === undefined) return undefined;
    const { options, epoch, certificate } = material;
    return { optionsFor: () => ({ key: "", options }), epoch, ownUri: certificate.spiffeId };
  }

  judge(socket: TLSSocket): ClientVerdict {
    const { roots, sans, certificate: own } = this.#tls;
    const certificate = socket.getPeerX509Certificate();
    const held = this.#secrets.certificate(own);
    const verdict = judgePeer(certificate, {
      trustDomains: [held === undefined ? "" : trustDomainOf(held), ...namedTrustDomains(sans)],
      sans: this.#sans,
      nowMs: this.#clock.now(),
      // As they are now: a ban may have come during the handshake.
      revoked: this.#secrets.roots(roots)?.revoked ?? [],
    });
    if (verdict.ok && certificate !== undefined) this.#secrets.livePeers.add(socket, certificate);
    return verdict;
  }
}
