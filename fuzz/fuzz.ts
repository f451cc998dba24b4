/**
 * Looks for bytes that the proxy does not stand: each target in turn, guided by the code that runs. `seconds=60` for each
 * target, `only=http1` those whose names begin so, `seed=1`, `keep=yes` writes the corpus, `repeat=<file>` runs one crash.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { Worker } from "node:worker_threads";
import type { Crash } from "./engine/campaign.ts";
import { failureOf } from "./engine/failure.ts";
import { TARGETS, targetNamed } from "./targets/all.ts";
import type { ThreadReport, ThreadTask } from "./thread-messages.ts";

const CRASHES = join(import.meta.dirname, "crashes");
const THREAD = new URL("./thread.ts", import.meta.url);
const LONGEST_MS = 10_000;
const MOST_HEAP_MIB = 512;
const MOST_INPUT = 65_536;

const OPTIONS = { seconds: "60", only: "", seed: String(Date.now() % 100_000), keep: "no", repeat: "" };
const options = optionsFrom(process.argv.slice(2));
process.exitCode = options.repeat === "" ? await campaigns() : await repeat(options.repeat);

function optionsFrom(args: readonly string[]): typeof OPTIONS {
  const given = Object.fromEntries(args.map((arg) => arg.split("=", 2) as [string, string]));
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown !== undefined)
    throw new Error(`"${unknown}" is no option; there are ${Object.keys(OPTIONS).join(", ")}`);
  return { ...OPTIONS, ...given };
}

async function campaigns(): Promise<number> {
  const targets = TARGETS.filter(({ name }) => name.startsWith(options.only));
  if (targets.length === 0) throw new Error(`no target's name begins with "${options.only}"`);
  console.log(`seed ${options.seed}, ${options.seconds} s for each target`);
  let crashes = 0;
  for (const { name } of targets) {
    const report = await campaign(name);
    console.log(lineOf(name, report));
    for (const crash of report.crashes) tell(name, crash);
    crashes += report.crashes.length;
  }
  return crashes === 0 ? 0 : 1;
}

function lineOf(
  name: string,
  { executions, seconds, reached, reachedFirst, kept, keptFirst, crashes }: ThreadReport,
): string {
  const perSecond = Math.round(executions / seconds);
  const found = `${reached} characters of code (+${reached - reachedFirst}), ${kept} inputs (+${kept - keptFirst})`;
  return `${name.padEnd(20)} ${String(executions).padStart(9)} executions, ${String(perSecond).padStart(6)}/s; ${found}; ${crashes.length} crashes`;
}

/** On a thread of its own; one that stands still, or takes too much memory, has crashed with the input that it is at. */
async function campaign(name: string): Promise<ThreadReport> {
  const shared = new SharedArrayBuffer(8 + MOST_INPUT);
  const count = new Int32Array(shared, 0, 2);
  const task: ThreadTask = {
    name,
    seconds: Number(options.seconds),
    seed: Number(options.seed),
    keep: options.keep === "yes",
    shared,
  };
  const worker = new Worker(THREAD, {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MIB },
  });
  const { promise, resolve } = Promise.withResolvers<ThreadReport>();
  const fail = (kind: string, told: string): void => {
    const input = Buffer.from(Buffer.from(shared, 8).subarray(0, Atomics.load(count, 1)));
    resolve({
      executions: Atomics.load(count, 0),
      seconds: task.seconds,
      reached: 0,
      reachedFirst: 0,
      kept: 0,
      keptFirst: 0,
      crashes: [{ kind, told, input }],
    });
  };
  let seen = -1;
  const timer = setInterval(() => {
    const now = Atomics.load(count, 0);
    if (now === seen && now > 0) fail("hangs", `it has not ended after ${LONGEST_MS} ms`);
    seen = now;
  }, LONGEST_MS);
  worker.once("message", (report: ThreadReport) =>
    resolve({ ...report, crashes: report.crashes.map((one) => ({ ...one, input: Buffer.from(one.input) })) }),
  );
  worker.once("error", (error) => fail("ends the thread", error.stack ?? error.message));
  try {
    return await promise;
  } finally {
    clearInterval(timer);
    await worker.terminate();
  }
}

function tell(name: string, { kind, told, input }: Crash): void {
  const hash = createHash("sha256").update(input).digest("hex").slice(0, 12);
  const file = join(CRASHES, `${name}.${hash}`);
  mkdirSync(CRASHES, { recursive: true });
  writeFileSync(file, input);
  const place = relative(process.cwd(), file);
  console.log(`\n${name}: ${kind}\n${told}\n${JSON.stringify(input.toString("latin1").slice(0, 400))}`);
  console.log(`again: make fuzz ARGS="repeat=${place}"\n`);
}

async function repeat(file: string): Promise<number> {
  const name = basename(file).split(".", 1)[0] ?? "";
  const failure = await failureOf(targetNamed(name).run, readFileSync(file));
  console.log(failure === undefined ? "everything holds" : `${failure.kind}\n${failure.told}`);
  return failure === undefined ? 0 : 1;
}
