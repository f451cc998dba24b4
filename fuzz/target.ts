import type { Mutate } from "./engine/mutate.ts";

/** Code that takes bytes of strangers, and what has to hold for all of them. */
export interface Target {
  readonly name: string;
  /** Longest input in octets. */
  readonly longest: number;
  /** Inputs to begin with, beside the corpus. */
  readonly seeds: () => readonly Buffer[];
  /** What is put in by chance: texts and numbers that the code compares with. */
  readonly words: readonly string[];
  /** Instead of changes that know nothing of the form. */
  readonly mutate?: Mutate;
  /** Throws when something does not hold. The same input does the same thing each time. */
  readonly run: (input: Buffer) => void | Promise<void>;
}
