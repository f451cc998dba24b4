/**
 * How many SVIDs one core issues in a second, from the request's PEM (its proof of possession checked) to a chain that
 * was read back and checked. One thread does it all, as in the server.
 */
import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openSelfSignedAuthority } from "../controlplane/ca/self-signed-authority.ts";
import { createCsr, parseCsr } from "../mesh/identity/csr.ts";
import { workloadSpiffeId } from "../mesh/identity/spiffe-id.ts";
import { parseTrustDomain } from "../mesh/identity/trust-domain.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";

const TARGET_PER_SECOND = 3000;
const WARM_UP_MS = 1000;
const ROUND_MS = 2000;
const ROUNDS = 5;

interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target: number;
  readonly better: "higher" | "lower";
}

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "lateen-bench-ca-"));
  try {
    const results = await measure(directory);
    print(results);
    const out = resolve(import.meta.dirname, "../bench-results");
    await mkdir(out, { recursive: true });
    await writeFile(join(out, "ca.json"), `${JSON.stringify(results, undefined, 2)}\n`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(directory: string): Promise<readonly Result[]> {
  const trustDomain = parseTrustDomain("cluster.local");
  const ca = await openSelfSignedAuthority({
    directory: join(directory, "ca"),
    trustDomain,
    clock: systemClock,
  });
  const spiffeId = workloadSpiffeId(trustDomain, "default", "reviews");
  const requests = Array.from({ length: 64 }, () =>
    createCsr(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey),
  );
  let next = 0;
  const issueOne = async (): Promise<void> => {
    const { publicKeyDer } = parseCsr(requests[next++ % requests.length] ?? "");
    await ca.issue({ spiffeId, publicKeyDer });
  };
  await run(issueOne, WARM_UP_MS);
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) rates.push(await run(issueOne, ROUND_MS));
  const median = rates.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  return [
    {
      name: "SVIDs issued, CSR to checked chain",
      value: Math.round(median),
      unit: "per second and core",
      target: TARGET_PER_SECOND,
      better: "higher",
    },
  ];
}

/** Calls per second of CPU time: what other processes on the machine take is not counted against us. */
async function run(work: () => Promise<void>, ms: number): Promise<number> {
  const cpu = process.cpuUsage();
  const end = performance.now() + ms;
  let count = 0;
  while (performance.now() < end) {
    await work();
    count++;
  }
  const { user, system } = process.cpuUsage(cpu);
  return (count * 1e6) / (user + system);
}

function print(results: readonly Result[]): void {
  console.table(
    results.map((result) => ({ ...result, met: result.value >= result.target ? "yes" : "no" })),
    ["name", "value", "unit", "target", "met"],
  );
}

await main();
