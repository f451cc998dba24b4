import { MeshError } from "../../mesh/errors.ts";
import type { AuthorityState, StoredAuthority } from "./authority-store.ts";

/** What leads from one CA to the next; `prepare` comes before them. */
export type RotationStep = "activate" | "taint" | "revoke" | "abort";

/** What a step does to the authorities. */
export interface StepResult {
  readonly put: readonly StoredAuthority[];
  readonly remove: readonly StoredAuthority[];
}

type Authorities = readonly StoredAuthority[];

/**
 * The authorities after a step, from those before it. Throws `ca.rotation` when it is not the step's turn. Aborting takes a
 * prepared CA away; later, it makes the one before sign again and the new one retire, which then can be tainted and
 * revoked in its turn.
 */
export function takeStep(step: RotationStep, authorities: Authorities, now: number): StepResult {
  const of = (state: AuthorityState): Authorities => authorities.filter((one) => one.state === state);
  const moved = (from: Authorities, state: AuthorityState): Authorities =>
    from.map((one) => (one.state === state ? one : { ...one, state, stateAt: now }));
  switch (step) {
    case "activate":
      required(of("prepared"), step, "no CA is prepared", "run `lateen ca prepare` first");
      return { put: [...moved(of("active"), "retiring"), ...moved(of("prepared"), "active")], remove: [] };
    case "taint":
      required(of("retiring"), step, "no CA is retiring", "run `lateen ca activate` first");
      return { put: moved(of("retiring"), "tainted"), remove: [] };
    case "revoke":
      required(of("tainted"), step, "no CA is tainted", "run `lateen ca taint` first");
      return { put: [], remove: of("tainted") };
    case "abort":
      return abort(of, moved);
    default:
      return step satisfies never;
  }
}

/** Throws `ca.rotation` while a rotation is under way: one at a time. */
export function assertNoRotation(authorities: Authorities): void {
  const other = authorities.find(({ state }) => state !== "active");
  if (other === undefined) return;
  throw refused("prepare", `the CA ${other.id} is ${other.state}`, "finish that rotation, or abort it");
}

function abort(
  of: (state: AuthorityState) => Authorities,
  moved: (from: Authorities, state: AuthorityState) => Authorities,
): StepResult {
  const prepared = of("prepared");
  if (prepared.length > 0) return { put: [], remove: prepared };
  const before = [...of("tainted"), ...of("retiring")];
  required(before, "abort", "no rotation is under way", "`lateen ca status` shows where things stand");
  const latest = before.toSorted((a, b) => b.stateAt - a.stateAt).slice(0, 1);
  return { put: [...moved(of("active"), "retiring"), ...moved(latest, "active")], remove: [] };
}

function required(found: Authorities, step: RotationStep, why: string, hint: string): void {
  if (found.length === 0) throw refused(step, why, hint);
}

function refused(step: string, why: string, hint: string): MeshError {
  return new MeshError("ca.rotation", `${step} a CA: ${why}`, { hint });
}
