import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { ProxyProgram } from "../../test/harness/proxy-program.ts";

/** What a process holds. */
export interface Footprint {
  readonly memoryMib: number;
  readonly descriptors: number;
}

const SAMPLES = 10;
const EVERY_MS = 300;

/** The least of some samples: what is held for good, not what a burst takes. */
export async function footprintOf(program: ProxyProgram): Promise<Footprint> {
  const pid = await program.pid();
  const samples: Footprint[] = [];
  for (let taken = 0; taken < SAMPLES; taken++) {
    const [status, descriptors] = await Promise.all([
      readFile(`/proc/${pid}/status`, "utf8"),
      readdir(`/proc/${pid}/fd`),
    ]);
    const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
    samples.push({ memoryMib: kib / 1024, descriptors: descriptors.length });
    await delay(EVERY_MS);
  }
  return {
    memoryMib: Math.min(...samples.map(({ memoryMib }) => memoryMib)),
    descriptors: Math.min(...samples.map(({ descriptors }) => descriptors)),
  };
}
