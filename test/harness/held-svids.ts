import type { BundleChange } from "../../agent/identity/trust-bundle.ts";
import type { WorkloadSvids } from "../../agent/identity/workload-svids.ts";
import { Changes } from "../../agent/state/changes.ts";
import type { CertificateAuthority } from "../../controlplane/ca/certificate-authority.ts";
import { type SpiffeId, workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import { parseX509Svid, type X509Svid } from "../../mesh/identity/x509-svid.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import { issueFor, newAuthority } from "../fakes/fake-agent-server.ts";

/** What an agent holds, without an agent: real certificates of a real authority. */
export class HeldSvids implements Pick<WorkloadSvids, "ids" | "status" | "current" | "changes"> {
  readonly changes: Changes<WorkloadId> = new Changes();
  readonly authority: CertificateAuthority;
  /** As the agent follows it. */
  readonly bundle: { current: TrustBundle; readonly changes: Changes<BundleChange> };
  readonly #held = new Map<WorkloadId, { readonly spiffeId: SpiffeId; svid: X509Svid | undefined }>();

  private constructor(authority: CertificateAuthority) {
    this.authority = authority;
    this.bundle = { current: authority.bundle, changes: new Changes() };
  }

  static async make(): Promise<HeldSvids> {
    return new HeldSvids(await newAuthority());
  }

  /** Gives a workload another certificate; with a life of 0, none. */
  async issue(
    serviceAccount: string,
    ttlMs = 3_600_000,
    namespace = "default",
  ): Promise<X509Svid | undefined> {
    const { trustDomain } = this.bundle.current;
    const spiffeId = workloadSpiffeId(trustDomain, namespace, serviceAccount);
    const svid =
      ttlMs === 0
        ? undefined
        : parseX509Svid({ ...(await issueFor(this.authority, spiffeId, ttlMs)), trustDomain });
    const id = `${namespace}/${serviceAccount}-1`;
    this.#held.set(id, { spiffeId, svid });
    this.changes.notify(id);
    return svid;
  }

  remove(serviceAccount: string, namespace = "default"): void {
    const id = `${namespace}/${serviceAccount}-1`;
    this.#held.delete(id);
    this.changes.notify(id);
  }

  ids(): readonly WorkloadId[] {
    return [...this.#held.keys()];
  }

  current(id: WorkloadId): X509Svid | undefined {
    return this.#held.get(id)?.svid;
  }

  status(id: WorkloadId): ReturnType<WorkloadSvids["status"]> {
    const held = this.#held.get(id);
    return held && { spiffeId: held.spiffeId, notAfterMs: held.svid?.notAfterMs, problem: undefined };
  }
}
