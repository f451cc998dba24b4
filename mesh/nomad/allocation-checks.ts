import { Gate } from "../blocking/gate.ts";
import { MeshError } from "../errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { NomadClient } from "./nomad-client.ts";
import { isNomadRefusal } from "./nomad-error.ts";
import { type CheckVerdicts, parseChecks } from "./nomad-services.ts";

/** Times in milliseconds. */
export interface CheckTiming {
  /** How often an allocation that has checks is asked for them, where there are not too many. */
  readonly checksMs: number;
  readonly patienceMs: number;
}

interface AllocationChecksOptions {
  readonly client: NomadClient;
  readonly clock: Clock;
  readonly timing: CheckTiming;
  /** The allocations that have native services. */
  readonly allocations: () => Iterable<string>;
  /** What an allocation's checks say is not what they said. */
  readonly changed: (allocation: string) => void;
  /** How a round of asking went; undefined: well. */
  readonly told: (problem: MeshError | undefined) => void;
}

/** Nomad passes each question on to the allocation's client: this many at a time, and this many a second. */
const WIDTH = 8;
const PER_SECOND = 50;
/** An allocation without checks is asked in each so many rounds. */
const WITHOUT_CHECKS = 10;

/**
 * What the checks of allocations say. Nomad tells of them neither in its lists nor in its events, so that they are asked
 * for in turn. What cannot be asked stays as it was; a check that has not run yet says nothing, and who was never asked
 * counts as healthy: it is registered.
 */
export class AllocationChecks {
  readonly #options: AllocationChecksOptions;
  readonly #verdicts = new Map<string, CheckVerdicts>();

  constructor(options: AllocationChecksOptions) {
    this.#options = options;
  }

  isHealthy(allocation: string, service: string): boolean {
    return this.#verdicts.get(allocation)?.get(service) !== "failing";
  }

  /** Asks in rounds until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, timing, allocations } = this.#options;
    for (let round = 0; !signal.aborted; round += 1) {
      const all = new Set(allocations());
      for (const known of this.#verdicts.keys()) if (!all.has(known)) this.#verdicts.delete(known);
      const due = [...all].filter((id) => round % WITHOUT_CHECKS === 0 || this.#verdicts.get(id)?.size !== 0);
      const pause = Math.max(timing.checksMs, (due.length * 1000) / PER_SECOND);
      const began = clock.monotonic();
      await this.#ask(due, signal);
      await clock.sleep(Math.max(0, pause - (clock.monotonic() - began)), signal);
    }
  }

  async #ask(allocations: readonly string[], signal: AbortSignal): Promise<void> {
    const gate = new Gate(WIDTH);
    let problem: MeshError | undefined;
    await Promise.all(
      allocations.map((id) =>
        gate.run(async () => {
          if (signal.aborted) return;
          try {
            await this.#askOne(id, signal);
          } catch (error) {
            // An allocation that has just ended, or whose client is away, has nobody to ask.
            if (isNomadRefusal(error)) problem = MeshError.from(error, "registry.unavailable");
          }
        }),
      ),
    );
    if (!signal.aborted) this.#options.told(problem);
  }

  async #askOne(id: string, signal: AbortSignal): Promise<void> {
    const { client, timing, changed } = this.#options;
    const path = `/allocation/${encodeURIComponent(id)}/checks`;
    const { body } = await client.get({ path, timeoutMs: timing.patienceMs }, signal);
    const before = this.#verdicts.get(id);
    const after = new Map(parseChecks(body));
    for (const [service, verdict] of after) {
      // A client that was restarted has not run its checks yet.
      if (verdict === "pending") after.set(service, before?.get(service) ?? "pending");
    }
    this.#verdicts.set(id, after);
    const services = new Set([...after.keys(), ...(before?.keys() ?? [])]);
    if ([...services].some((one) => (before?.get(one) === "failing") !== (after.get(one) === "failing")))
      changed(id);
  }
}
