import { setTimeout as delay } from "node:timers/promises";

const LEAST_MS = 20;
const MOST_MS = 60;

/** So that each change is one of its own, and they fall anywhere in whatever period there is. */
export async function pauseBetweenChanges(): Promise<void> {
  await delay(LEAST_MS + Math.random() * (MOST_MS - LEAST_MS));
}
