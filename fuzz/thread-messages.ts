import type { Crash } from "./engine/campaign.ts";

export interface ThreadTask {
  readonly name: string;
  readonly seconds: number;
  readonly seed: number;
  /** The corpus is written anew with what was found. */
  readonly keep: boolean;
  /** How many inputs were begun, the length of the one that runs now (both 32 bits), and that input. */
  readonly shared: SharedArrayBuffer;
}

export interface ThreadReport {
  readonly executions: number;
  readonly seconds: number;
  /** Characters of code that ran; `First`: with the corpus and the seeds alone. */
  readonly reached: number;
  readonly reachedFirst: number;
  /** Inputs that were kept. */
  readonly kept: number;
  readonly keptFirst: number;
  readonly crashes: readonly Crash[];
}
