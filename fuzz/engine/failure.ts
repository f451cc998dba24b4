/** An input for which something does not hold. */
export interface Failure {
  /** The same for all inputs that fail alike. */
  readonly kind: string;
  readonly told: string;
}

/** Of an input that took longer than this each time it was tried; most take well under a thousandth of it. */
const LONGEST_MS = 250;
const TRIES = 3;

/** Runs a target on one input; undefined: everything holds. */
export async function failureOf(
  run: (input: Buffer) => void | Promise<void>,
  input: Buffer,
): Promise<Failure | undefined> {
  for (let tries = 1; ; tries++) {
    const started = performance.now();
    try {
      const running = run(input);
      if (running !== undefined) await running;
    } catch (error) {
      return { kind: kindOf(error), told: error instanceof Error ? (error.stack ?? "") : String(error) };
    }
    const ms = performance.now() - started;
    if (ms < LONGEST_MS) return undefined;
    if (tries === TRIES) return { kind: "slow", told: `it takes ${Math.round(ms)} ms` };
  }
}

/** By the place that throws; numbers and texts in the message differ from input to input. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = /\((?:file:\/\/)?[^)]*\/((?:proxy|mesh|fuzz)\/[^)]*)\)/.exec(error.stack ?? "")?.[1] ?? "";
  return `${error.name} at ${place}`;
}
