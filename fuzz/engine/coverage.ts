import { type Profiler, Session } from "node:inspector";

/** What has run of a script: an octet for each character of its source, 1 where it has. */
export type Covered = ReadonlyMap<string, Uint8Array>;

/** Own sources; what is generated would only say that a message has many fields. */
const COUNTED = /\/(?:proxy|mesh|agent)\/(?!xds\/gen\/).*\.ts$/;

/** What V8 counts of the blocks that run on this thread. */
export class Coverage implements Disposable {
  readonly #session = new Session();
  readonly #covered = new Map<string, Uint8Array>();

  constructor() {
    this.#session.connect();
    this.#post("Profiler.enable");
    this.#post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Characters of code that have run so far. */
  get size(): number {
    let sum = 0;
    for (const script of this.#covered.values()) for (const ran of script) sum += ran;
    return sum;
  }

  /** What has run since this was last asked. */
  take(): Covered {
    const { result } = this.#post("Profiler.takePreciseCoverage") as Profiler.TakePreciseCoverageReturnType;
    return new Map(
      result.filter(({ url }) => COUNTED.test(url)).map(({ url, functions }) => [url, painted(functions)]),
    );
  }

  hasNews(sample: Covered): boolean {
    for (const [url, script] of sample) {
      const known = this.#covered.get(url);
      for (let at = 0; at < script.length; at++) if (script[at] === 1 && known?.[at] !== 1) return true;
    }
    return false;
  }

  add(sample: Covered): void {
    for (const [url, script] of sample) {
      let known = this.#covered.get(url);
      if (known === undefined || known.length < script.length) {
        const larger = new Uint8Array(script.length);
        larger.set(known ?? []);
        known = larger;
        this.#covered.set(url, known);
      }
      for (let at = 0; at < script.length; at++) if (script[at] === 1) known[at] = 1;
    }
  }

  forget(): void {
    this.#covered.clear();
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }

  /** The profiler answers in the same turn. */
  #post(method: string, params: object = {}): object {
    let answer: object = {};
    this.#session.post(method, params, (error, result) => {
      if (error !== null) throw error;
      answer = result ?? {};
    });
    return answer;
  }
}

/** Functions and blocks come from the outside in: what is inside says more exactly what has run. */
function painted(functions: readonly Profiler.FunctionCoverage[]): Uint8Array {
  const ranges = functions.flatMap((one) => one.ranges);
  const script = new Uint8Array(Math.max(0, ...ranges.map(({ endOffset }) => endOffset)));
  for (const { startOffset, endOffset, count } of ranges)
    script.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return script;
}
