/**
 * How many SVIDs one core issues in a second, from the request's PEM (its proof of possession checked) to a chain that
 * was read back and checked. One thread does it all, as in the server.
 *
 * Each needs three operations of P-256 whatever the program does: the request's signature verified, the certificate
 * signed, that signature verified. Rounds of these alone are measured in between: on a noisy machine both become slow,
 * and their ratio stays.
 */
import { generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCsr, parseCsr } from "../mesh/identity/csr.ts";
import { workloadSpiffeId } from "../mesh/identity/spiffe-id.ts";
import { parseTrustDomain } from "../mesh/identity/trust-domain.ts";
import { testAuthority } from "../test/harness/test-authority.ts";
import { measureHerd } from "./herd.ts";
import { percentile, type Result, report, rounded } from "./report.ts";

const TARGET_PER_SECOND = 3000;
const WARM_UP_MS = 1000;
const ROUND_MS = 1000;
const ROUNDS = 9;

type Work = () => Promise<void>;

const directory = await mkdtemp(join(tmpdir(), "lateen-bench-ca-"));
try {
  const issued = await measure(await issuing(directory), signatures());
  await report("ca", [...issued, ...(await measureHerd())]);
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function measure(issue: Work, calibrate: Work): Promise<readonly Result[]> {
  await rate(issue, WARM_UP_MS);
  await rate(calibrate, WARM_UP_MS / 2);
  const rounds: { readonly issued: number; readonly raw: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ issued: await rate(issue, ROUND_MS), raw: await rate(calibrate, ROUND_MS / 2) });
  }
  const middle = (values: readonly number[]): number => percentile(values, 0.5);
  const unit = "per second and core";
  return [
    {
      name: "SVIDs issued, CSR to checked chain",
      value: Math.round(middle(rounds.map(({ issued }) => issued))),
      unit,
      target: TARGET_PER_SECOND,
      better: "higher",
    },
    {
      name: "the P-256 operations of one SVID alone (sign, 2 × verify)",
      value: Math.round(middle(rounds.map(({ raw }) => raw))),
      unit,
      target: null,
      better: "higher",
    },
    {
      name: "share of an SVID's CPU that is P-256",
      value: rounded(100 * middle(rounds.map(({ issued, raw }) => issued / raw))),
      unit: "%",
      target: null,
      better: "higher",
    },
  ];
}

async function issuing(directory: string): Promise<Work> {
  const trustDomain = parseTrustDomain("cluster.local");
  const ca = await testAuthority({ directory, trustDomain });
  const spiffeId = workloadSpiffeId(trustDomain, "default", "reviews");
  const requests = Array.from({ length: 64 }, () =>
    createCsr(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey),
  );
  let next = 0;
  return async () => {
    const { publicKeyDer } = parseCsr(requests[next++ % requests.length] ?? "");
    await ca.issue({ spiffeId, publicKeyDer });
  };
}

/** The bytes are as many as a certificate's. */
function signatures(): Work {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const bytes = randomBytes(400);
  return async () => {
    const signature = sign("sha256", bytes, privateKey);
    for (let count = 0; count < 2; count++) verify("sha256", bytes, publicKey, signature);
  };
}

/** Calls per second of CPU time: what other processes on the machine take is not counted against us. */
async function rate(work: Work, ms: number): Promise<number> {
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
