import { X509Certificate } from "node:crypto";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { StoredAuthority } from "./authority-store.ts";
import type { IssuedCertificates } from "./issued-certificates.ts";
import type { MeshAuthority } from "./mesh-authority.ts";
import type { RotationStep } from "./rotation-step.ts";

/** What a rotation waits for. Hosts that are away are not waited for: for them there is the cross-signature. */
export interface RotationReadiness {
  /** Hosts that are there and do not use a bundle of this sequence or a newer one yet. */
  withoutBundle(sequence: number): readonly string[];
  /** Hosts that are there and use a certificate of one of these authorities, or have not said yet. */
  using(authorities: readonly string[]): readonly string[];
  away(): readonly string[];
}

/** What may come next, and who is waited for. */
export interface NextStep {
  readonly step: RotationStep;
  /** Names of hosts. Empty: nothing stands in its way. */
  readonly waitsFor: readonly string[];
}

export interface CaRotationOptions {
  readonly authority: MeshAuthority;
  readonly readiness: RotationReadiness;
  readonly issued: Pick<IssuedCertificates, "lastEndOf">;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_EVERY_MS = 500;
const DAY_MS = 86_400_000;
/** A new CA is prepared when this much of the old one's life is left, or half of it when that is less. */
const PREPARE_BEFORE_END_MS = 30 * DAY_MS;

/** Takes the mesh from one CA to the next, by command or by itself, without a connection that fails. */
export class CaRotation {
  readonly #options: CaRotationOptions;

  constructor(options: CaRotationOptions) {
    this.#options = options;
  }

  /** The step that comes next; undefined when no rotation is under way. */
  next(): NextStep | undefined {
    const { authority, readiness } = this.#options;
    const ids = (state: StoredAuthority["state"]): string[] =>
      authority.authorities.filter((one) => one.state === state).map(({ id }) => id);
    const [prepared] = authority.authorities.filter(({ state }) => state === "prepared");
    if (prepared !== undefined) {
      return { step: "activate", waitsFor: readiness.withoutBundle(prepared.sequence) };
    }
    const retiring = ids("retiring");
    if (retiring.length > 0) return { step: "taint", waitsFor: readiness.using(retiring) };
    const tainted = ids("tainted");
    return tainted.length > 0 ? { step: "revoke", waitsFor: readiness.using(tainted) } : undefined;
  }

  /** `walk`: the other steps follow by themselves, each when the hosts are ready for it. */
  async prepare(walk: boolean, signal: AbortSignal): Promise<void> {
    const { authority, logger } = this.#options;
    await authority.prepare(walk, signal);
    logger.info("a new CA is prepared", { walk, authorities: authority.authorities.length });
  }

  /** Throws `ca.rotation` when it is not the step's turn, and while hosts are not ready for it unless it is forced. */
  async step(step: RotationStep, force: boolean): Promise<void> {
    const { authority, logger } = this.#options;
    const next = this.next();
    const waitsFor = step === next?.step ? next.waitsFor : [];
    if (waitsFor.length > 0 && !force) {
      throw new MeshError(
        "ca.rotation",
        `${step} a CA: ${waitsFor.length} hosts are not ready: ${some(waitsFor)}`,
        {
          hint: "wait for them, or use --force: what they call, or who calls them, may fail until they are back",
        },
      );
    }
    await authority.step(step);
    logger.info("the CA's rotation took a step", { step, force });
  }

  /** Prepares a CA in time, and takes the steps of a rotation that walks, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    let told = "";
    while (!signal.aborted) {
      try {
        await this.#advance(signal);
        told = "";
      } catch (error) {
        const why = messageOf(error);
        if (why !== told)
          logger.error("the CA's rotation could not go on; it is tried again", { error: why });
        told = why;
      }
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  async #advance(signal: AbortSignal): Promise<void> {
    const { authority, clock } = this.#options;
    const next = this.next();
    const [active] = authority.authorities.filter(({ state }) => state === "active");
    if (next === undefined) {
      if (active !== undefined && isDue(active, clock.now())) await this.prepare(true, signal);
    } else if (authority.walks && next.waitsFor.length === 0 && !this.#leavesRemain(next.step)) {
      await this.step(next.step, false);
    }
  }

  /** By itself a rotation does not take the trust from hosts that are away and come back with a certificate that is good. */
  #leavesRemain(step: RotationStep): boolean {
    const { authority, issued, clock } = this.#options;
    if (step !== "revoke") return false;
    return authority.authorities
      .filter(({ state }) => state === "tainted")
      .some(({ id }) => (issued.lastEndOf(id) ?? 0) > clock.now());
  }
}

function isDue({ certificate }: StoredAuthority, now: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  const end = validToDate.getTime();
  return now >= end - Math.min((end - validFromDate.getTime()) / 2, PREPARE_BEFORE_END_MS);
}

function some(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(", ")}, …` : names.join(", ");
}
