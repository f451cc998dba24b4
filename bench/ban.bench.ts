/**
 * From `lateen ban` to the refusal at every peer, with two hundred agents: the ban goes in over the admin socket, each agent
 * has the bundle's stream over a TLS connection of its own, and takes the list in as its data planes do. What is not in it
 * is the hop from an agent to its data plane on the same host; test/e2e/ban.test.ts has it.
 */

import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ServerChannel } from "../agent/identity/channel.ts";
import { TrustBundleWatch } from "../agent/identity/trust-bundle.ts";
import { pemToDer } from "../mesh/identity/pem.ts";
import { type RevokedCertificates, readRevokedCertificates } from "../mesh/identity/revoked-certificates.ts";
import type { TrustBundle } from "../mesh/identity/trust-bundle.ts";
import { verifyPeerSvid } from "../mesh/identity/verify-peer-svid.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { type Fleet, startFleet } from "../test/harness/agent-fleet.ts";
import { eventually } from "../test/harness/eventually.ts";
import { latencies, type Result, report } from "./report.ts";

const AGENTS = 200;
const BANS = 20;
const TARGET_P99_MS = 2000;
const LONGEST_LIST = 1 << 20;

await report("ban", await measure());
// The agents' channels have nobody who closes them.
process.exit();

async function measure(): Promise<readonly Result[]> {
  await using fleet = await startFleet(AGENTS);
  const stop = new AbortController();
  const peers = await Promise.all(fleet.agents.map((_, index) => follow(fleet, index, stop.signal)));
  const samples: number[] = [];
  for (const banned of fleet.agents.slice(0, BANS)) {
    const certificate = new X509Certificate(banned.svid.chainPem).raw;
    const asked = performance.now();
    const refused = peers.slice(BANS).map(async (peer) => {
      await peer.until((bundle) => !verifyPeerSvid(certificate, bundle.trustDomain, revokedIn(bundle)).ok);
      return performance.now() - asked;
    });
    await fleet.admin.post("/v1/bans", { kind: "host", value: banned.agentId, reason: "bench" });
    samples.push(...(await Promise.all(refused)));
  }
  stop.abort();
  return latencies("ban to refusal at a peer", samples, { p50: TARGET_P99_MS, p99: TARGET_P99_MS });
}

function revokedIn({ crls }: TrustBundle): readonly RevokedCertificates[] {
  return crls.map((pem) => readRevokedCertificates(pemToDer(pem, "X509 CRL"), LONGEST_LIST));
}

interface Peer {
  /** Resolves with the first bundle, the one at hand included, of which the question is true. */
  until(holds: (bundle: TrustBundle) => boolean): Promise<void>;
}

async function follow(fleet: Fleet, index: number, signal: AbortSignal): Promise<Peer> {
  const agent = fleet.agents[index];
  if (agent === undefined) throw new Error("no such agent");
  const stateDir = join(fleet.directory, `agent-${index}`);
  await mkdir(join(stateDir, "identity"), { recursive: true, mode: 0o700 });
  const seams = { clock: systemClock, logger: silentLogger, random: Math.random };
  const channel = new ServerChannel({
    ...seams,
    addresses: agent.servers,
    trustDomain: agent.trustDomain,
    identity: () => ({ roots: fleet.bundle.roots, certificate: agent.svid }),
  });
  const watch = new TrustBundleWatch({
    ...seams,
    initial: { ...fleet.bundle, sequence: 0 },
    channel,
    stateDir,
  });
  void watch.run(signal);
  await eventually("the bundle", () => watch.current.sequence > 0, 20_000);
  return {
    async until(holds) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (holds(watch.current)) resolve();
      };
      const done = watch.changes.subscribe(look);
      look();
      await promise;
      done();
    },
  };
}
