import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** What came of a program's calls so far. */
export interface TrafficTally {
  /** Calls on connections that are kept. */
  readonly kept: number;
  /** Calls on a connection of their own. */
  readonly fresh: number;
  readonly failures: readonly string[];
}

const EVERY_MS = 20;
const TIMEOUT_MS = 10_000;

/** Calls one place over HTTP all the time, half of them on connections that it keeps. */
export class KeptTraffic {
  readonly #kept = new Agent({ keepAlive: true, maxSockets: 2 });
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #failures: string[] = [];
  #counts = { kept: 0, fresh: 0 };

  constructor(origin: string) {
    this.#running = this.#run(origin);
  }

  get tally(): TrafficTally {
    return { ...this.#counts, failures: this.#failures };
  }

  async end(): Promise<TrafficTally> {
    this.#stop.abort();
    await this.#running;
    this.#kept.destroy();
    return this.tally;
  }

  async #run(origin: string): Promise<void> {
    const open = new Set<Promise<void>>();
    while (!this.#stop.signal.aborted) {
      for (const kind of ["kept", "fresh"] as const) {
        const call = this.#call(origin, kind).finally(() => open.delete(call));
        open.add(call);
      }
      await delay(EVERY_MS);
    }
    await Promise.all(open);
  }

  async #call(origin: string, kind: "kept" | "fresh"): Promise<void> {
    const agent = kind === "kept" ? this.#kept : new Agent();
    try {
      const status = await statusOf(origin, agent);
      if (status === 200) this.#counts[kind] += 1;
      else this.#failures.push(`${kind}: ${status}`);
    } catch (error) {
      this.#failures.push(`${kind}: ${String(error)}`);
    } finally {
      if (kind === "fresh") agent.destroy();
    }
  }
}

async function statusOf(origin: string, agent: Agent): Promise<number> {
  return await new Promise((resolve, reject) => {
    const call = request(origin, { agent, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
      response.once("error", reject);
    });
    call.once("timeout", () => call.destroy(new Error("no answer")));
    call.once("error", reject);
    call.end();
  });
}
