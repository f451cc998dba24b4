import { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";

/** The answer, if it comes within the time. Rejects otherwise; whatever comes later is dropped. */
export async function inTime<T>(answer: Promise<T>, ms: number, clock: Clock): Promise<T> {
  const come = new AbortController();
  const tooLate = async (): Promise<never> => {
    await clock.sleep(ms, come.signal);
    throw new MeshError("internal", `ask a worker: no answer within ${ms} ms`);
  };
  try {
    return await Promise.race([answer, tooLate()]);
  } finally {
    come.abort();
  }
}
