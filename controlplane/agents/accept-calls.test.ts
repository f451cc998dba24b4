import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { agentService } from "../../mesh/agent-api/services.ts";
import { ObservedCall, type ReportResult } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import {
  type AgentPort,
  AgentPortClient,
  type JoinedTestAgent,
  joinAgent,
  nextMessage,
  startAgentPort,
  stateDirectory,
  wireWorkload,
} from "../../test/harness/agent-port.ts";

const call = (path: string): ObservedCall => ({
  ...ObservedCall.fromPartial({
    port: 9080,
    protocol: "http",
    method: "GET",
    host: "web",
    precision: "exact",
  }),
  path,
  count: 1,
  firstSeenMs: Date.now(),
  lastSeenMs: Date.now(),
});

async function register(agent: JoinedTestAgent, name: string): Promise<void> {
  const stream = agent.client.register();
  stream.on("error", () => undefined);
  stream.write({ sequence: 1, workloads: [wireWorkload(name)] });
  await nextMessage<ReportResult>(stream);
}

const report = (agent: Pick<JoinedTestAgent, "client">, ...workloads: readonly string[]) =>
  agent.client.call(agentService.reportCalls, {
    workloads: workloads.map((workload) => ({ workload, calls: [call(`/of/${workload}`)], leftOut: 0 })),
  });

const kept = ({ history }: AgentPort): readonly string[] =>
  history.since(0).flatMap(({ calls }) => calls.map(({ path }) => path));

test("an agent reports calls of the workloads on its host, and of no other's", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using mine = await joinAgent(port);
  using other = await joinAgent(port);
  await register(mine, "reviews");
  await register(other, "ratings");
  const { refusals } = await report(mine, "default/ratings", "default/nobody", "default/reviews");
  assert.deepEqual(
    refusals.map(({ workload }) => workload),
    ["default/ratings", "default/nobody"],
  );
  assert.deepEqual(kept(port), ["/of/default/reviews"]);
});

test("a workload that has moved to another host is reported on by that one alone", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using before = await joinAgent(port);
  using after = await joinAgent(port);
  await register(before, "reviews");
  port.placements.replace(before.id, []);
  await register(after, "reviews");
  assert.equal((await report(before, "default/reviews")).refusals.length, 1);
  assert.equal((await report(after, "default/reviews")).refusals.length, 0);
});

test("who shows no agent's certificate reports nothing, and a report without measure is refused", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using anonymous = new AgentPortClient(port);
  await assert.rejects(report({ client: anonymous }, "default/reviews"), { code: status.UNAUTHENTICATED });
  using agent = await joinAgent(port);
  await register(agent, "reviews");
  const calls = Array.from({ length: 2001 }, () => call("/"));
  await assert.rejects(
    agent.client.call(agentService.reportCalls, {
      workloads: [{ workload: "default/reviews", calls, leftOut: 0 }],
    }),
    { code: status.INVALID_ARGUMENT },
  );
  assert.deepEqual(kept(port), []);
});
