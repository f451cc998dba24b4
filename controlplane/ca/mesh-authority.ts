import type { DatabaseSync } from "node:sqlite";
import { MeshError } from "../../mesh/errors.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { pathToRoot, trustedRoots } from "./authority-chain.ts";
import { AuthorityStore, type StoredAuthority } from "./authority-store.ts";
import type { CaSource } from "./ca-source.ts";
import type { CertificateAuthority, CertificateRequest, IssuedCertificate } from "./certificate-authority.ts";
import { crossSignature, endOfCross } from "./cross-signature.ts";
import { issueLeaf } from "./issue-leaf.ts";
import { type Issuer, openIssuer } from "./issuer.ts";
import {
  type IssuedJwt,
  type JwtKey,
  type JwtSvidRequest,
  jwkSet,
  newJwtKey,
  openJwtKey,
} from "./jwt-key.ts";
import { KeyFiles } from "./key-files.ts";
import { DEFAULT_LIFETIMES, type Lifetimes } from "./lifetimes.ts";
import { type DeniedCertificate, revocationLists } from "./revocation-lists.ts";
import { assertNoRotation, type RotationStep, takeStep } from "./rotation-step.ts";
import { openKey } from "./sealed-key.ts";

export interface MeshAuthorityOptions {
  /** Of the CA's keys; made 0700 when it is not there. */
  readonly directory: string;
  readonly database: DatabaseSync;
  readonly trustDomain: TrustDomain;
  readonly source: CaSource;
  readonly clock: Clock;
  readonly lifetimes?: Partial<Lifetimes>;
  /** The keys are sealed under it; ones that are not yet, are at the start. */
  readonly passphrase?: string | undefined;
  /** Over which time agents spread the renewals that a new CA asks for. Default: 10 minutes. */
  readonly renewWithinMs?: number;
  /** What was denied before this start. */
  readonly denied?: readonly DeniedCertificate[];
  readonly signal: AbortSignal;
}

const RENEW_WITHIN_MS = 600_000;
/** Who has not renewed by the time that the old CA is tainted is to do it now, and not all in one moment. */
const TAINTED_RENEW_WITHIN_MS = 10_000;

/** Who signs leaves, and what goes with them. */
interface Signing {
  readonly issuer: Issuer;
  readonly path: readonly string[];
  /** Infinity: there is no cross-signature that could be made anew. */
  readonly crossEndsMs: number;
}

/**
 * The trust domain's authority: issues by the CA that is active, and takes it through its rotation. Every step is on disk
 * before it has an effect. Opening it gets a first CA from the source. Throws `config.invalid` when keys may be read by
 * others, do not belong to their certificates, or cannot be opened.
 */
export class MeshAuthority implements CertificateAuthority {
  readonly #options: MeshAuthorityOptions;
  readonly #store: AuthorityStore;
  readonly #keys: KeyFiles;
  readonly #lifetimes: Lifetimes;
  readonly #listeners = new Set<(bundle: TrustBundle) => void>();
  readonly #issuers = new Map<string, Issuer>();
  /** Each authority has one, which comes and goes with it. */
  readonly #jwtKeys = new Map<string, JwtKey>();
  #authorities: readonly StoredAuthority[] = [];
  #denied: readonly DeniedCertificate[];
  #signing: Signing | undefined;
  #bundle: TrustBundle | undefined;

  private constructor(options: MeshAuthorityOptions) {
    this.#options = options;
    this.#store = new AuthorityStore(options.database);
    this.#denied = options.denied ?? [];
    this.#keys = new KeyFiles(options.directory, options.passphrase);
    this.#lifetimes = { ...DEFAULT_LIFETIMES, ...options.lifetimes };
  }

  static async open(options: MeshAuthorityOptions): Promise<MeshAuthority> {
    const authority = new MeshAuthority(options);
    const stored = authority.#store.list();
    await authority.#keys.open(stored.flatMap(({ id }) => [id, jwtKeyName(id)]));
    for (const one of stored) await authority.#load(one);
    authority.#refresh(stored, authority.#store.sequence);
    if (stored.length === 0) await authority.#add("active", false, options.signal);
    return authority;
  }

  get bundle(): TrustBundle {
    if (this.#bundle === undefined) throw new MeshError("internal", "tell the trust bundle of no authority");
    return this.#bundle;
  }

  /** What the next CA comes from. */
  get source(): string {
    return this.#options.source.kind;
  }

  get authorities(): readonly StoredAuthority[] {
    return this.#authorities;
  }

  /** Whether the rotation under way takes its next steps by itself; survives a restart. */
  get walks(): boolean {
    return this.#store.walks;
  }

  /** Whether revocation lists reach peers: every authority signs them, and all leaves under the roots are ours. */
  get revocationReachesPeers(): boolean {
    return this.#authorities.every((one) => one.ownsRoots && this.#issuers.get(one.id)?.signsCrls === true);
  }

  async issue(request: CertificateRequest): Promise<IssuedCertificate> {
    if (this.#signing === undefined) {
      throw new MeshError("ca.unavailable", `issue a certificate for ${request.spiffeId}: no CA is active`);
    }
    const now = this.#options.clock.now();
    const { issuer, path } = this.#withFreshCross(this.#signing, now);
    return issueLeaf(request, issuer, path, this.#lifetimes, now);
  }

  /** A JWT-SVID by the key of the CA that is active. Throws `ca.unavailable` or `ca.self-check`. */
  issueJwt(request: JwtSvidRequest): IssuedJwt {
    const active = this.#authorities.find(({ state }) => state === "active");
    const key = active && this.#jwtKeys.get(active.id);
    if (key === undefined)
      throw new MeshError("ca.unavailable", `sign a token for ${request.spiffeId}: no CA is active`);
    const from = Math.floor(this.#options.clock.now() / 1000);
    const to = from + Math.ceil(this.#lifetimes.jwtMs / 1000);
    return { token: key.issue(request, { from, to }), notAfterMs: to * 1000 };
  }

  onBundleChange(listener: (bundle: TrustBundle) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  /**
   * Makes the next CA and tells its root, beside the one that signs; `walks`: the other steps are to follow by themselves.
   * Throws `ca.rotation` while another rotation is under way.
   */
  async prepare(walks: boolean, signal: AbortSignal): Promise<void> {
    assertNoRotation(this.#authorities);
    await this.#add("prepared", walks, signal);
  }

  /** Takes one step of the rotation. Throws `ca.rotation` when it is not its turn. */
  async step(step: RotationStep): Promise<void> {
    const { clock } = this.#options;
    const sequence = this.bundle.sequence + 1;
    const { put, remove } = takeStep(step, this.#authorities, clock.now());
    this.#store.commit({
      put: put.map((one) => ({ ...one, sequence })),
      remove: remove.map(({ id }) => id),
      sequence,
      ...(step === "revoke" || step === "abort" ? { walks: false } : {}),
    });
    this.#refresh(this.#store.list(), sequence);
    for (const { id } of remove) {
      this.#issuers.delete(id);
      this.#jwtKeys.delete(id);
      await this.#keys.remove(id);
      await this.#keys.remove(jwtKeyName(id));
    }
  }

  /** From now on these leaves, and no others, are on the revocation lists that peers get. */
  deny(certificates: readonly DeniedCertificate[]): void {
    this.#denied = certificates;
    const sequence = this.bundle.sequence + 1;
    this.#store.commit({ sequence });
    this.#refresh(this.#authorities, sequence);
  }

  async #add(state: "active" | "prepared", walks: boolean, signal: AbortSignal): Promise<void> {
    const { source, trustDomain, clock } = this.#options;
    const { keyPem, certificate, intermediates, roots } = await source.next(signal);
    const ca = { certificate, intermediates, roots };
    const key = openKey(keyPem, undefined, `of the ${source.kind} CA`);
    const issuer = openIssuer(ca, key, trustDomain);
    if (this.#issuers.has(issuer.id)) {
      throw new MeshError("ca.rotation", "prepare a CA: the source gives the one that is in use", {
        hint: "put the next CA's files in the place of the old ones first",
      });
    }
    await this.#keys.stage(issuer.id, keyPem);
    const sequence = this.#bundle === undefined ? this.#store.sequence : this.bundle.sequence + 1;
    const now = clock.now();
    const times = { sequence, createdAt: now, stateAt: now };
    const { ownsRoots } = source;
    const added = { ...ca, ...this.#crossSigned(issuer), id: issuer.id, state, ownsRoots, ...times };
    this.#store.commit({ put: [added], sequence, walks });
    await this.#keys.settle(issuer.id);
    this.#issuers.set(issuer.id, issuer);
    await this.#loadJwtKey(issuer.id);
    this.#refresh(this.#store.list(), sequence);
  }

  async #loadJwtKey(id: string): Promise<void> {
    this.#jwtKeys.set(id, openJwtKey(await this.#keys.readOrMake(jwtKeyName(id), newJwtKey)));
  }

  /** The new CA's key, certified by the one that signs now: undefined where that may not sign CAs, or has the same root. */
  #crossSigned(next: Issuer): Pick<StoredAuthority, "cross" | "crossRoot"> {
    const current = this.#authorities.find(({ state }) => state === "active");
    const issuer = current && this.#issuers.get(current.id);
    const crossRoot = current?.roots[0];
    if (
      issuer?.signsCas !== true ||
      crossRoot === undefined ||
      !current?.roots.includes(current.certificate)
    ) {
      return { cross: undefined, crossRoot: undefined };
    }
    const cross = crossSignature(next, issuer, this.#lifetimes.maxMs, this.#options.clock.now());
    return { cross, crossRoot };
  }

  /** A cross-signature that would end before a leaf does is made anew, as long as the CA behind it is there. */
  #withFreshCross(signing: Signing, now: number): Signing {
    const { issuer, crossEndsMs } = signing;
    const active = this.#authorities.find(({ state }) => state === "active");
    if (active?.cross === undefined || crossEndsMs - now > this.#lifetimes.maxMs) return signing;
    const { crossRoot = "" } = active;
    const before = this.#authorities.find(({ id, roots }) => id !== active.id && roots.includes(crossRoot));
    const signer = before && this.#issuers.get(before.id);
    if (signer === undefined) return signing;
    const cross = crossSignature(issuer, signer, this.#lifetimes.maxMs, now);
    // What the signer's own end bounds is not to be had longer by asking for each leaf.
    const ends = endOfCross(cross) > crossEndsMs ? endOfCross(cross) : Number.POSITIVE_INFINITY;
    const path = pathToRoot({ ...active, cross }, this.#authorities);
    this.#signing = { issuer, path, crossEndsMs: ends };
    return this.#signing;
  }

  async #load(stored: StoredAuthority): Promise<void> {
    const issuer = openIssuer(stored, await this.#keys.read(stored.id), this.#options.trustDomain);
    if (issuer.id !== stored.id)
      throw new MeshError("internal", `open the CA ${stored.id}: it is ${issuer.id}`);
    this.#issuers.set(issuer.id, issuer);
    await this.#loadJwtKey(issuer.id);
  }

  #refresh(authorities: readonly StoredAuthority[], sequence: number): void {
    const { trustDomain, clock, renewWithinMs = RENEW_WITHIN_MS } = this.#options;
    this.#authorities = authorities;
    const active = authorities.find(({ state }) => state === "active");
    const issuer = active && this.#issuers.get(active.id);
    this.#signing = active &&
      issuer && {
        issuer,
        path: pathToRoot(active, authorities),
        crossEndsMs: active.cross === undefined ? Number.POSITIVE_INFINITY : endOfCross(active.cross),
      };
    const issuers = authorities.flatMap(({ id }) => this.#issuers.get(id) ?? []);
    if (authorities.length === 0) return;
    this.#bundle = {
      trustDomain,
      roots: trustedRoots(authorities),
      crls: this.revocationReachesPeers ? revocationLists(issuers, this.#denied, sequence, clock.now()) : [],
      retiring: authorities.flatMap(({ id, state }) =>
        state === "retiring" || state === "tainted" ? [id] : [],
      ),
      renewWithinMs: authorities.some(({ state }) => state === "tainted")
        ? Math.min(renewWithinMs, TAINTED_RENEW_WITHIN_MS)
        : renewWithinMs,
      jwtKeys: jwkSet(authorities.flatMap(({ id }) => this.#jwtKeys.get(id) ?? [])),
      sequence,
    };
    for (const listener of this.#listeners) listener(this.#bundle);
  }
}

/** Beside the authority's own key. */
function jwtKeyName(id: string): string {
  return `${id}.jwt`;
}
