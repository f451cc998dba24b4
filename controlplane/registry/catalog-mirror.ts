import type { CatalogInstance } from "./registry.ts";
import type { ServiceAnswer } from "./service-answer.ts";

/** Times in milliseconds. */
export interface RemovalTiming {
  /** Removals that come within this time are one step, judged together. */
  readonly settleMs: number;
  /** After an outage removals wait for the other queries to answer too, at most this long. */
  readonly outageSettleMs: number;
  /** When most of what was held has come back, what is still missing is let go after this time without a change. */
  readonly graceMs: number;
}

export const REMOVAL_TIMING: RemovalTiming = { settleMs: 100, outageSettleMs: 15_000, graceMs: 600_000 };

/** How an answer came about: it decides what its removals are worth. */
export interface AnswerContext {
  readonly now: number;
  readonly rewound: boolean;
  readonly recovered: boolean;
}

interface Leaving {
  readonly service: string;
  readonly id: string;
}

/** At least this many instances, and more than half of all, gone in one step: that is not how services stop. */
const MASS_AT_LEAST = 3;
const MASS_SHARE = 0.5;

/**
 * The catalog as it is believed: its answers, and what it no longer mentions but what is not believed to be gone.
 * New and changed instances count at once. A removal waits for a moment in `leaving`, where removals of one step
 * are counted: few are carried out, too many are `held` until they come back. So is what a rewound catalog forgot.
 */
export class CatalogMirror {
  readonly #timing: RemovalTiming;
  readonly #services = new Map<string, ReadonlyMap<string, CatalogInstance>>();
  readonly #leaving = new Map<string, Leaving>();
  readonly #held = new Map<string, Leaving>();
  #leavingSince = 0;
  #afterOutage = false;
  #heldChangedAt = 0;

  constructor(timing: RemovalTiming) {
    this.#timing = timing;
  }

  instancesOf(service: string): readonly CatalogInstance[] {
    return [...(this.#services.get(service)?.values() ?? [])];
  }

  get size(): number {
    let size = 0;
    for (const instances of this.#services.values()) size += instances.size;
    return size;
  }

  /** Instances that the catalog no longer lists and that stay all the same. */
  get held(): readonly Leaving[] {
    return [...this.#held.values()];
  }

  /** Takes one service's answer. What it lacks stays until `judge`. */
  apply(service: string, answer: ServiceAnswer, context: AnswerContext): void {
    const before = this.#services.get(service) ?? new Map<string, CatalogInstance>();
    const after = new Map<string, CatalogInstance>();
    for (const instance of answer.instances) {
      after.set(instance.id, instance);
      this.#leaving.delete(key(service, instance.id));
      if (this.#held.delete(key(service, instance.id))) this.#heldChangedAt = context.now;
    }
    for (const [id, instance] of before) {
      if (after.has(id)) continue;
      after.set(id, { ...instance, healthy: answer.refused.get(id) ?? instance.healthy });
      if (!answer.refused.has(id)) this.#miss({ service, id }, context);
    }
    this.#services.set(service, after);
  }

  /** When `judge` has something to do, in the time of `now`; undefined: nothing. */
  dueAt(othersFailing: boolean): number | undefined {
    if (this.#leaving.size > 0) {
      const wait = this.#afterOutage && othersFailing ? this.#timing.outageSettleMs : this.#timing.settleMs;
      return this.#leavingSince + wait;
    }
    const mostAreBack = this.#held.size <= this.size * MASS_SHARE;
    return this.#held.size > 0 && mostAreBack ? this.#heldChangedAt + this.#timing.graceMs : undefined;
  }

  /** Carries out or holds what has waited long enough; returns the services that changed. */
  judge(now: number, othersFailing: boolean): ReadonlySet<string> {
    const due = this.dueAt(othersFailing);
    if (due === undefined || now < due) return new Set();
    if (this.#leaving.size === 0) return this.release();
    const gone = [...this.#leaving.values()];
    this.#leaving.clear();
    this.#afterOutage = false;
    if (!this.#isMass(gone.length + this.#held.size)) return this.#remove(gone);
    for (const leaving of gone) this.#hold(leaving, now);
    return new Set();
  }

  /** The catalog has said that this one is gone, and not just left it out: it goes at once. */
  remove(service: string, id: string): void {
    this.#leaving.delete(key(service, id));
    this.#held.delete(key(service, id));
    this.#remove([{ service, id }]);
  }

  /** Believes the catalog in everything: what is held goes. Returns the services that changed. */
  release(): ReadonlySet<string> {
    const gone = this.held;
    this.#held.clear();
    return this.#remove(gone);
  }

  #miss(missing: Leaving, { now, rewound, recovered }: AnswerContext): void {
    const id = key(missing.service, missing.id);
    if (this.#held.has(id)) return;
    if (rewound) {
      this.#leaving.delete(id);
      this.#hold(missing, now);
      return;
    }
    if (this.#leaving.has(id)) return;
    if (this.#leaving.size === 0) {
      this.#leavingSince = now;
      this.#afterOutage = false;
    }
    this.#afterOutage ||= recovered;
    this.#leaving.set(id, missing);
  }

  #hold(missing: Leaving, now: number): void {
    this.#held.set(key(missing.service, missing.id), missing);
    this.#heldChangedAt = now;
  }

  #isMass(count: number): boolean {
    return count >= MASS_AT_LEAST && count > this.size * MASS_SHARE;
  }

  #remove(gone: readonly Leaving[]): ReadonlySet<string> {
    for (const { service, id } of gone) {
      const left = new Map(this.#services.get(service));
      left.delete(id);
      if (left.size === 0) this.#services.delete(service);
      else this.#services.set(service, left);
    }
    return new Set(gone.map(({ service }) => service));
  }
}

/** A service name holds no blank. */
function key(service: string, id: string): string {
  return `${service} ${id}`;
}
