import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

/** In a thread of its own, which the agents of a test do not hold up: asks ten times a second until it is told to stop. */
const { port } = workerData as { readonly port: number };
const answers: number[] = [];
const over = new AbortController();
parentPort?.once("message", () => over.abort());
while (!over.signal.aborted) {
  const asked = performance.now();
  const { ok } = await fetch(`http://127.0.0.1:${port}/healthz`);
  answers.push(ok ? performance.now() - asked : Number.POSITIVE_INFINITY);
  await delay(100);
}
parentPort?.postMessage(answers, []);
