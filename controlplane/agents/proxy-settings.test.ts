import assert from "node:assert/strict";
import { test } from "node:test";
import type { DataPlaneSettings, ReportResult } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { objects } from "../../test/fakes/sample-mesh.ts";
import {
  type AgentPort,
  type JoinedTestAgent,
  joinAgent,
  startAgentPort,
  stateDirectory,
  wireWorkload,
} from "../../test/harness/agent-port.ts";
import { eventually } from "../../test/harness/eventually.ts";

const meshConfig = (defaultConfig: string): string => `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { defaultConfig: ${defaultConfig} }
`;

const proxyConfig = (app: string, concurrency: number): string => `
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: { name: ${app} }
spec: { selector: { matchLabels: { app: ${app} } }, concurrency: ${concurrency} }
`;

const apply = ({ store }: AgentPort, yaml: string): unknown => store.apply(objects(yaml), { origin: "api" });

/** A stream on which the workloads are reported, and everything that it is answered. */
function register(agent: JoinedTestAgent, ...names: readonly string[]) {
  const stream = agent.client.register();
  const answers: ReportResult[] = [];
  stream.on("error", () => undefined);
  stream.on("data", (answer: ReportResult) => void answers.push(answer));
  const workloads = names.map((name) => wireWorkload(name, { labels: { app: name } }));
  const report = async (sequence: number): Promise<void> => {
    stream.write({ sequence, workloads });
    await eventually(`an answer to ${sequence}`, () => answers.at(-1)?.sequence === sequence);
  };
  /** What was said of data planes, answer by answer. */
  const told = (): readonly (readonly DataPlaneSettings[])[] => answers.map(({ settings }) => settings);
  return { stream, report, told, answers };
}

const of = (name: string, concurrency: number): DataPlaneSettings => ({
  workload: `default/${name}`,
  concurrency,
});

test("what is said of data planes is told without a report when it changes, and to those alone whom it concerns", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using one = await joinAgent(port);
  using other = await joinAgent(port);
  const [web, store] = [register(one, "web", "plain"), register(other, "store")];
  await Promise.all([web.report(1), store.report(1)]);
  assert.deepEqual([web.told(), store.told()], [[[]], [[]]]);

  apply(port, meshConfig("{ concurrency: 2 }"));
  await eventually("both are told", () => web.answers.length === 2 && store.answers.length === 2);
  assert.deepEqual(web.told().at(-1), [of("web", 2), of("plain", 2)]);
  assert.deepEqual(store.told().at(-1), [of("store", 2)]);
  assert.equal(web.answers.at(-1)?.sequence, 1);

  apply(port, proxyConfig("web", 0));
  await eventually("one is told", () => web.answers.length === 3);
  assert.deepEqual(web.told().at(-1), [of("web", 0), of("plain", 2)]);

  // What changes nothing for anybody is not told to anybody.
  apply(port, meshConfig("{ concurrency: 2, interceptionMode: REDIRECT }"));
  apply(port, proxyConfig("stranger", 7));
  await Promise.all([web.report(2), store.report(2)]);
  assert.deepEqual([web.answers.length, store.answers.length], [4, 3]);

  port.store.delete("MeshConfig/istio-system/mesh", { origin: "api" });
  await eventually("both are told", () => web.answers.length === 5 && store.answers.length === 4);
  assert.deepEqual([web.told().at(-1), store.told().at(-1)], [[of("web", 0)], []]);
  for (const { stream } of [web, store]) stream.end();
});

test("a server that has just started says the same as before", async () => {
  await using state = await stateDirectory();
  const before = await startAgentPort(state.path);
  apply(before, meshConfig("{ concurrency: 2 }"));
  using agent = await joinAgent(before);
  await before.stop();
  await using after = await startAgentPort(state.path, { port: before.port });
  const web = register(agent, "web");
  await web.report(1);
  assert.deepEqual(web.told(), [[of("web", 2)]]);
  assert.equal(after.port, before.port);
  web.stream.end();
});
