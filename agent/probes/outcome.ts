import { messageOf } from "../../mesh/errors.ts";

/** What one check found. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** A check that ends with the first thing it is told: what is wrong, or nothing (`""`). What it throws is wrong too. */
export function outcomeOf(check: (settle: (problem: string) => void) => void): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const settle = (reason: string): void => resolve(reason === "" ? { ok: true } : { ok: false, reason });
  try {
    check(settle);
  } catch (error) {
    settle(messageOf(error));
  }
  return promise;
}
