import { Agent, request } from "node:http";

interface LoadResult {
  readonly sent: number;
  /** By the end of the time. */
  readonly answered: number;
  readonly seconds: number;
  /** Requests that were answered in the second in which the fewest were; the first and the last second are not whole. */
  readonly slowestSecond: number;
  readonly latenciesMs: readonly number[];
  /** What came instead of a 200. */
  readonly failures: readonly string[];
}

export interface SteadyLoad {
  /** Sends nothing more, and resolves when all is answered. */
  stop(): Promise<LoadResult>;
}

const TICK_MS = 5;
const LONGEST_MS = 10_000;

/**
 * Requests at a rate, whether the answers come or not: what stands still in between is owed, and shows in the latencies.
 * On connections that are kept, as an application does to its own proxy.
 */
export function steadyLoad(port: number, host: string, address: string, perSecond: number): SteadyLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const started = performance.now();
  const latenciesMs: number[] = [];
  const failures: string[] = [];
  const bySecond: number[] = [];
  const underWay = new Set<Promise<void>>();
  let sent = 0;

  const one = async (): Promise<void> => {
    const asked = performance.now();
    const said = await status(agent, port, host, address);
    const now = performance.now();
    if (said !== "200") failures.push(`${Math.round(asked - started)} ms: ${said}`);
    latenciesMs.push(now - asked);
    const second = Math.floor((now - started) / 1000);
    bySecond[second] = (bySecond[second] ?? 0) + 1;
  };
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1000) * perSecond);
    for (; sent < due; sent++) {
      const running = one();
      underWay.add(running);
      void running.finally(() => underWay.delete(running));
    }
  }, TICK_MS);
  return {
    async stop() {
      clearInterval(timer);
      const seconds = (performance.now() - started) / 1000;
      const answered = latenciesMs.length;
      await Promise.all(underWay);
      agent.destroy();
      const whole = Array.from({ length: Math.floor(seconds) }, (_, at) => bySecond[at] ?? 0).slice(1);
      return { sent, answered, seconds, slowestSecond: Math.min(...whole), latenciesMs, failures };
    },
  };
}

async function status(agent: Agent, port: number, host: string, address: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const signal = AbortSignal.timeout(LONGEST_MS);
  const call = request({ agent, host: address, port, headers: { host }, signal }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", (error) => resolve(error.message));
    response.on("end", () => {
      const code = String(response.statusCode);
      resolve(code === "200" ? code : `${code} ${Buffer.concat(chunks).toString()}`);
    });
  });
  call.on("error", (error) => resolve(error.message));
  call.end();
  return await promise;
}
