import { Random } from "../../test/harness/random.ts";
import type { Target } from "../target.ts";
import type { Coverage } from "./coverage.ts";
import { type Failure, failureOf } from "./failure.ts";
import { minimise } from "./minimise.ts";
import { mutateBytes } from "./mutate.ts";

/** A failure with the shortest input that was found for it. */
export interface Crash extends Failure {
  readonly input: Buffer;
}

export interface CampaignOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Called before each input is run, so that one that never ends is known. */
  readonly watch: (input: Buffer) => void;
}

/** Asking what has run costs as much as many inputs: it is asked once for so many milliseconds of them. */
const BATCH_MS = 30;
const MOST_CRASHES = 10;

/**
 * Looks for inputs for which something does not hold: changes those that are kept, and keeps what reaches code that none
 * before it has reached.
 */
export class Campaign {
  readonly #target: Target;
  readonly #coverage: Coverage;
  readonly #options: CampaignOptions;
  readonly #random: Random;
  readonly #kept: Buffer[] = [];
  readonly crashes = new Map<string, Crash>();
  executions = 0;

  constructor(target: Target, coverage: Coverage, options: CampaignOptions) {
    this.#target = target;
    this.#coverage = coverage;
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  get kept(): readonly Buffer[] {
    return this.#kept;
  }

  /** Takes those of the inputs that reach anything new, the shortest first. */
  async begin(inputs: readonly Buffer[]): Promise<void> {
    for (const input of inputs.toSorted((a, b) => a.length - b.length)) await this.#attribute([input]);
  }

  async run(): Promise<void> {
    const until = performance.now() + this.#options.seconds * 1000;
    if (this.#kept.length === 0) this.#kept.push(Buffer.alloc(1));
    while (performance.now() < until && this.crashes.size < MOST_CRASHES) await this.#batch();
  }

  async #batch(): Promise<void> {
    const batch: Buffer[] = [];
    this.#coverage.take();
    for (const started = performance.now(); performance.now() - started < BATCH_MS; ) {
      const input = this.#another();
      batch.push(input);
      await this.#try(input);
    }
    const sample = this.#coverage.take();
    if (!this.#coverage.hasNews(sample)) return;
    await this.#attribute(batch);
    // What ran only because of what came before it is reached, by nobody in particular.
    this.#coverage.add(sample);
  }

  /** Finds who reaches something new by halves: few do. */
  async #attribute(inputs: readonly Buffer[]): Promise<void> {
    this.#coverage.take();
    for (const input of inputs) await this.#try(input);
    const sample = this.#coverage.take();
    const [first] = inputs;
    if (first === undefined || !this.#coverage.hasNews(sample)) return;
    if (inputs.length === 1) {
      this.#coverage.add(sample);
      this.#kept.push(first);
      return;
    }
    const middle = inputs.length >> 1;
    await this.#attribute(inputs.slice(0, middle));
    await this.#attribute(inputs.slice(middle));
  }

  #another(): Buffer {
    const { mutate = mutateBytes, words, longest } = this.#target;
    const [input, other] = [this.#pick(), this.#pick()];
    return mutate(this.#random, input, other, words).subarray(0, longest);
  }

  /** Every other time one of the newest. */
  #pick(): Buffer {
    const { length } = this.#kept;
    const from = this.#random.chance(0.5) ? Math.max(0, length - 20) : 0;
    return this.#kept[from + this.#random.below(length - from)] ?? Buffer.alloc(0);
  }

  async #try(input: Buffer): Promise<void> {
    this.#options.watch(input);
    this.executions++;
    const failure = await failureOf(this.#target.run, input);
    if (failure === undefined || this.crashes.has(failure.kind)) return;
    const short = await minimise(input, async (shorter) => {
      this.#options.watch(shorter);
      return (await failureOf(this.#target.run, shorter))?.kind === failure.kind;
    });
    const again = await failureOf(this.#target.run, short);
    this.crashes.set(failure.kind, { ...(again ?? failure), kind: failure.kind, input: short });
  }
}
