import { setTimeout as delay } from "node:timers/promises";

/** Asks until the answer is there (not undefined, not false); fails with the question after `withinMs`. */
export async function eventually<T>(
  question: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 5_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${question}`);
    await delay(5);
  }
}
