import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { AgentState } from "../agent/identity/agent-state.ts";
import { issueFrom } from "../agent/identity/certificates.ts";
import { ServerChannel } from "../agent/identity/channel.ts";
import { workloadSpiffeId } from "../mesh/identity/spiffe-id.ts";
import { backoffMs } from "../mesh/lifecycle/backoff.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { type Fleet, startFleet } from "../test/harness/agent-fleet.ts";
import { percentile, type Result, rounded } from "./report.ts";

const AGENTS = 1000;
const CONVERGED_WITHIN_S = 20;
const HEALTH_WITHIN_MS = 1000;
const RETRY = { firstMs: 200, maxMs: 2_000 };

/**
 * A thousand agents come at once, as after an outage: each makes its TLS connection and renews its own certificate and that
 * of its workload. Meanwhile the server's health is asked ten times a second.
 */
export async function measureHerd(): Promise<readonly Result[]> {
  await using fleet = await startFleet(AGENTS);
  const probe = new Worker(new URL("../test/harness/health-probe.ts", import.meta.url), {
    workerData: { port: fleet.healthPort },
  });
  const cpuBefore = fleet.cpuSeconds();
  const started = performance.now();
  const times = await Promise.all(
    fleet.agents.map(async (agent, index) => {
      await comeBack(fleet, agent, index);
      return (performance.now() - started) / 1000;
    }),
  );
  const cpu = fleet.cpuSeconds() - cpuBefore;
  probe.postMessage("stop", []);
  const [answers] = (await once(probe, "message")) as [readonly number[]];
  const second = (name: string, value: number, target: number | null): Result => ({
    name,
    value: rounded(value, 2),
    unit: "s",
    target,
    better: "lower",
  });
  return [
    second(`${AGENTS} agents back with new certificates, p50`, percentile(times, 0.5), null),
    second(`${AGENTS} agents back with new certificates, the last`, Math.max(...times), CONVERGED_WITHIN_S),
    second("CPU of the server for it", cpu, null),
    {
      name: `health during it, the slowest of ${answers.length} answers`,
      value: rounded(Math.max(...answers)),
      unit: "ms",
      target: HEALTH_WITHIN_MS,
      better: "lower",
    },
  ];
}

async function comeBack(fleet: Fleet, agent: AgentState, index: number): Promise<void> {
  const { trustDomain, svid, servers } = agent;
  const channel = new ServerChannel({
    addresses: servers,
    trustDomain,
    identity: () => ({ roots: fleet.bundle.roots, certificate: svid }),
    clock: systemClock,
    logger: silentLogger,
    random: Math.random,
  });
  const issue = issueFrom(channel);
  const { signal } = new AbortController();
  const workload = workloadSpiffeId(trustDomain, "default", `web-${index}`);
  try {
    for (const identity of [undefined, workload]) {
      for (let attempt = 0; ; attempt++) {
        const got = await issue(identity, signal).then(
          () => true,
          () => false,
        );
        if (got) break;
        await systemClock.sleep(backoffMs(RETRY, attempt, Math.random()), signal);
      }
    }
  } finally {
    channel.close();
  }
}
