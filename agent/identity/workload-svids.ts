import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "../../mesh/errors.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import { parseX509Svid, type X509Svid } from "../../mesh/identity/x509-svid.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import { Changes, Wake } from "../state/changes.ts";
import { quarantine } from "../state/private-files.ts";
import { TaskGroup } from "../state/task-group.ts";
import type { IssueCertificate } from "./certificates.ts";
import { keepFresh, type RenewalOptions } from "./keep-fresh.ts";
import { assertSvid, readSvid, writeSvid } from "./svid-file.ts";

export interface WorkloadSvidsOptions extends RenewalOptions {
  readonly issue: IssueCertificate;
  readonly bundle: () => TrustBundle;
}

interface Held {
  readonly spiffeId: SpiffeId;
  readonly file: string;
  readonly retry: Wake;
  svid: X509Svid | undefined;
  problem: string | undefined;
}

/** What one workload's identity looks like from outside. */
export interface SvidStatus {
  readonly spiffeId: SpiffeId;
  /** Undefined while there is none. */
  readonly notAfterMs: number | undefined;
  /** Why the last attempt to get one failed. */
  readonly problem: string | undefined;
}

/** The SVIDs of the workloads on this host: from disk at first, got from the server, renewed, and deleted at the end. */
export class WorkloadSvids {
  /** Notified with each workload that has another SVID than before. */
  readonly changes: Changes<WorkloadId> = new Changes();
  readonly #options: WorkloadSvidsOptions;
  readonly #held = new Map<WorkloadId, Held>();
  readonly #renewals: TaskGroup;

  constructor(options: WorkloadSvidsOptions) {
    this.#options = options;
    this.#renewals = new TaskGroup((id, error) => {
      options.logger.error("the renewal of an SVID ended", { workload: id, error: messageOf(error) });
    });
  }

  /** Begins to hold an identity for a workload: returns when what is on disk was read; the rest happens beside. */
  async add(id: WorkloadId, spiffeId: SpiffeId, file: string): Promise<void> {
    const before = this.#held.get(id);
    if (before?.spiffeId === spiffeId) return;
    if (before !== undefined) await this.remove(id);
    const held: Held = { spiffeId, file, retry: new Wake(), svid: undefined, problem: undefined };
    held.svid = await this.#read(held);
    this.#held.set(id, held);
    if (held.svid !== undefined) this.changes.notify(id);
    this.#renewals.start(id, (signal) => this.#renew(id, held, signal));
  }

  /** Stops to hold it; key and certificate are deleted from memory and disk. */
  async remove(id: WorkloadId): Promise<void> {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    await this.#renewals.stop(id);
    await rm(held.file, { force: true });
    this.changes.notify(id);
  }

  ids(): readonly WorkloadId[] {
    return [...this.#held.keys()];
  }

  current(id: WorkloadId): X509Svid | undefined {
    return this.#held.get(id)?.svid;
  }

  status(id: WorkloadId): SvidStatus | undefined {
    const held = this.#held.get(id);
    return held && { spiffeId: held.spiffeId, notAfterMs: held.svid?.notAfterMs, problem: held.problem };
  }

  /** Attempts that failed are made again at once: the server is back, or has registered the workload. */
  retry(): void {
    for (const held of this.#held.values()) if (held.problem !== undefined) held.retry.raise();
  }

  /** Ends all renewals; what is on disk stays for the next start. */
  async stop(): Promise<void> {
    await this.#renewals.stopAll();
  }

  async #read(held: Held): Promise<X509Svid | undefined> {
    const { bundle, clock, logger } = this.#options;
    try {
      return await readSvid(held.file, held.spiffeId, bundle(), clock.now());
    } catch (error) {
      const aside = await quarantine(held.file, clock.now()).catch(() => "nowhere");
      logger.warn("an SVID on disk cannot be used and was put aside", { aside, error: messageOf(error) });
      return undefined;
    }
  }

  async #renew(id: WorkloadId, held: Held, signal: AbortSignal): Promise<void> {
    const { bundle, issue, logger } = this.#options;
    await keepFresh(
      {
        name: held.spiffeId,
        current: () => held.svid,
        issue: async (signal) => {
          const { keyPem, chain } = await issue(held.spiffeId, signal);
          const svid = parseX509Svid({ chain, keyPem, trustDomain: bundle().trustDomain });
          assertSvid(svid, held.spiffeId, bundle());
          if (signal.aborted) return;
          held.svid = svid;
          this.changes.notify(id);
          const expires = new Date(svid.notAfterMs).toISOString();
          logger.info("got an SVID", { workload: id, spiffeId: svid.spiffeId, expires });
          await writeSvid(held.file, svid).catch((error: unknown) => {
            logger.error("could not keep an SVID on disk", {
              folder: dirname(held.file),
              error: messageOf(error),
            });
          });
        },
        failed: (problem) => {
          held.problem = problem?.message;
        },
        retry: held.retry,
      },
      this.#options,
      signal,
    );
  }
}
