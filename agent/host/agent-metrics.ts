import { collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";

/** The agent's own metrics, taken from its status when they are asked for, and what it counts for its data planes. */
export function agentMetrics(status: () => AgentStatus, decisions: Metric): Registry {
  const registry = new Registry();
  registry.registerMetric(decisions);
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const serving = new Gauge({
    name: "lateen_agent_workloads",
    help: "Workloads of this host by state",
    labelNames: ["state"],
    registers,
    collect() {
      serving.reset();
      for (const { state } of status().workloads) serving.inc({ state });
    },
  });
  const expiry = new Gauge({
    name: "lateen_agent_svid_expiry_timestamp_seconds",
    help: "When the SVID of a workload ends, in seconds since the epoch",
    labelNames: ["workload"],
    registers,
    collect() {
      expiry.reset();
      for (const { workload, svidExpires } of status().workloads) {
        if (svidExpires !== undefined) expiry.set({ workload }, Date.parse(svidExpires) / 1000);
      }
    },
  });
  const own = new Gauge({
    name: "lateen_agent_certificate_expiry_timestamp_seconds",
    help: "When the agent's own certificate ends, in seconds since the epoch",
    registers,
    collect() {
      own.set(Date.parse(status().agent.certificateExpires) / 1000);
    },
  });
  const connected = new Gauge({
    name: "lateen_agent_server_connected",
    help: "1 while the agent is connected to a server",
    registers,
    collect() {
      connected.set(status().server.connected ? 1 : 0);
    },
  });
  const problems = new Gauge({
    name: "lateen_agent_problems",
    help: "Things that keep services, or parts of them, out of the mesh",
    registers,
    collect() {
      problems.set(status().problems.length);
    },
  });
  return registry;
}
