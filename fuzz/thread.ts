import { parentPort, workerData } from "node:worker_threads";
import { readCorpus, writeCorpus } from "./corpus.ts";
import { Campaign } from "./engine/campaign.ts";
import { Coverage } from "./engine/coverage.ts";
import { targetNamed } from "./targets/all.ts";
import type { ThreadReport, ThreadTask } from "./thread-messages.ts";

/** One campaign on a thread of its own: it can be ended when an input never ends, or takes all memory. */
const { name, seconds, seed, keep, shared } = workerData as ThreadTask;
const target = targetNamed(name);
const count = new Int32Array(shared, 0, 2);
const room = Buffer.from(shared, 8);
const watch = (input: Buffer): void => {
  Atomics.store(count, 1, input.copy(room));
  Atomics.add(count, 0, 1);
};

using coverage = new Coverage();
const campaign = new Campaign(target, coverage, { seconds, seed, watch });
await campaign.begin([...readCorpus(name), ...target.seeds()]);
const reachedFirst = coverage.size;
const executedFirst = campaign.executions;
const keptFirst = campaign.kept.length;
const started = performance.now();
await campaign.run();
const report: ThreadReport = {
  executions: campaign.executions - executedFirst,
  seconds: (performance.now() - started) / 1000,
  reached: coverage.size,
  reachedFirst,
  kept: campaign.kept.length,
  keptFirst,
  crashes: [...campaign.crashes.values()],
};
if (keep) writeCorpus(name, await smallest(campaign.kept));
parentPort?.postMessage(report, []);

/** So few of the inputs that they reach what all of them do; the seeds are had anyway. */
async function smallest(inputs: readonly Buffer[]): Promise<readonly Buffer[]> {
  coverage.forget();
  const again = new Campaign(target, coverage, { seconds: 0, seed, watch });
  await again.begin(inputs);
  const seeds = new Set(target.seeds().map((one) => one.toString("base64")));
  return again.kept.filter((one) => !seeds.has(one.toString("base64")));
}
