import assert from "node:assert/strict";
import { test } from "node:test";
import { certificateService } from "../../mesh/agent-api/services.ts";
import { createCsr } from "../../mesh/identity/csr.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import type { ReportResult } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { objects, sampleState } from "../../test/fakes/sample-mesh.ts";
import {
  type AgentPort,
  type JoinedTestAgent,
  joinAgent,
  nextMessage,
  startAgentPort,
  stateDirectory,
  wireWorkload,
} from "../../test/harness/agent-port.ts";
import { newKey } from "../../test/harness/test-certificates.ts";
import { UNBOUND } from "../attest/agent-binding.ts";
import { authorizationPoliciesFor } from "../policy/authorization.ts";
import { mtlsMode } from "../policy/peer-authentication.ts";
import { sidecarFor } from "../policy/sidecars.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";

function apply({ store }: AgentPort, spec: string): void {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: web }
spec: ${spec}
`;
  store.apply(objects(yaml), { origin: "api" });
}

const remove = ({ store }: AgentPort): boolean =>
  store.delete("WorkloadGroup/default/web", { origin: "api" });

function report(sequence: number) {
  const member = wireWorkload("reviews", { group: "web", defaulted: ["serviceAccount", "weight", "app"] });
  return { sequence, workloads: [member, wireWorkload("plain")] };
}

/** A stream on which a member of the group `web` is reported, and its first answer. */
async function register(agent: JoinedTestAgent) {
  const stream = agent.client.register();
  stream.on("error", () => undefined);
  stream.write(report(1));
  return { stream, result: await nextMessage<ReportResult>(stream) };
}

const certify = (agent: JoinedTestAgent, serviceAccount: string) =>
  agent.client.call(certificateService.createCertificate, {
    csr: createCsr(newKey()),
    validityDuration: 0,
    metadata: { ImpersonatedIdentity: `spiffe://cluster.local/ns/default/sa/${serviceAccount}` },
  });

const placed = (port: AgentPort): PlacedWorkload | undefined => port.placements.get("default/reviews");

test("a member follows its group from its creation on, without a word of its agent", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  const { stream, result } = await register(agent);
  assert.match(result.refusals[0]?.reason ?? "", /its WorkloadGroup default\/web does not exist/);
  assert.deepEqual([placed(port), result.groups], [undefined, []]);
  assert.ok(port.placements.get("default/plain"), "the others stand");

  const created = nextMessage<ReportResult>(stream);
  apply(port, "{ metadata: { labels: { tier: front } }, template: { serviceAccount: shopper } }");
  assert.deepEqual(await created, {
    sequence: 1,
    refusals: [],
    settings: [],
    groups: [
      {
        workload: "default/reviews",
        group: "web",
        serviceAccount: "shopper",
        labels: { tier: "front" },
        probe: undefined,
        problem: "",
      },
    ],
  });
  await certify(agent, "shopper");
  await assert.rejects(certify(agent, "reviews"));

  const edited = nextMessage<ReportResult>(stream);
  apply(
    port,
    "{ metadata: { labels: { tier: back } }, template: { locality: eu }, probe: { tcpSocket: { port: 80 } } }",
  );
  const [settings] = (await edited).groups;
  assert.deepEqual([settings?.serviceAccount, settings?.labels], ["reviews", { tier: "back" }]);
  assert.deepEqual(settings?.probe?.tcp, { host: "", port: 80 });
  assert.equal(placed(port)?.locality, "eu");
  await assert.rejects(certify(agent, "shopper"));

  const deleted = nextMessage<ReportResult>(stream);
  remove(port);
  assert.match((await deleted).groups[0]?.problem ?? "", /does not exist.*what it said before stays/);
  assert.deepEqual(placed(port)?.labels, { tier: "back" });
  stream.end();
});

test("a group that goes while the server is down still says what it said last", async () => {
  await using state = await stateDirectory();
  const first = await startAgentPort(state.path);
  apply(first, "{ metadata: { labels: { tier: front } }, template: { serviceAccount: shopper } }");
  using agent = await joinAgent(first);
  await register(agent);
  await first.stop();
  await using port = await startAgentPort(state.path, { port: first.port });
  remove(port);
  const { stream, result } = await register(agent);
  assert.match(result.groups[0]?.problem ?? "", /does not exist/);
  assert.deepEqual([result.refusals, placed(port)?.serviceAccount], [[], "shopper"]);
  assert.deepEqual(placed(port)?.labels, { tier: "front" });
  stream.end();
});

test("a group gives an agent no identity that it did not join for", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port, { ...UNBOUND, serviceAccounts: ["reviews", "plain"] });
  apply(port, "{ template: { serviceAccount: admin } }");
  const { stream, result } = await register(agent);
  assert.match(result.refusals[0]?.reason ?? "", /says: the agent joined for the service accounts/);
  await assert.rejects(certify(agent, "admin"));
  const mended = nextMessage<ReportResult>(stream);
  apply(port, "{ template: {} }");
  assert.deepEqual((await mended).refusals, []);
  await certify(agent, "reviews");
  const spoilt = nextMessage<ReportResult>(stream);
  apply(port, "{ template: { serviceAccount: admin } }");
  assert.match((await spoilt).groups[0]?.problem ?? "", /joined for.*stays in force/);
  await assert.rejects(certify(agent, "admin"));
  await certify(agent, "reviews");
  stream.end();
});

test("an identity that only a group says can be banned", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  apply(port, "{ template: { serviceAccount: shopper } }");
  const { stream } = await register(agent);
  const told = nextMessage<ReportResult>(stream);
  port.bans.add({ kind: "identity", value: "spiffe://cluster.local/ns/default/sa/shopper" }, "test");
  assert.match((await told).refusals[0]?.reason ?? "", /sa\/shopper is banned/);
  await assert.rejects(certify(agent, "shopper"));
  stream.end();
});

test("what a group says of labels selects for services and for policies", async () => {
  await using state = await stateDirectory();
  await using port = await startAgentPort(state.path);
  using agent = await joinAgent(port);
  apply(port, "{ metadata: { labels: { tier: front } }, template: { ports: { web: 9080 } } }");
  const stream = agent.client.register();
  stream.on("error", () => undefined);
  const app = { appAddress: "127.0.0.1", appPort: 9080 };
  const place = { inboundAddress: "10.0.0.3", inboundPort: 21_000, ...app, bind: undefined };
  const ports = [{ name: "", protocol: "http", servicePort: 9080, ...place }];
  stream.write({ sequence: 1, workloads: [wireWorkload("reviews", { group: "web", ports })] });
  await nextMessage(stream);
  const selector = "{ matchLabels: { tier: front } }";
  const yaml = [
    `networking.istio.io/v1, kind: ServiceEntry, spec: { hosts: [front.example], resolution: STATIC, ports: [{ number: 80, name: web, protocol: HTTP }], workloadSelector: { labels: { tier: front } } }`,
    `networking.istio.io/v1, kind: Sidecar, spec: { workloadSelector: { labels: { tier: front } }, egress: [{ hosts: [./*] }] }`,
    `security.istio.io/v1, kind: PeerAuthentication, spec: { selector: ${selector}, mtls: { mode: STRICT } }`,
    `security.istio.io/v1, kind: AuthorizationPolicy, spec: { selector: ${selector}, action: DENY, rules: [{}] }`,
  ].map((rest) => `{ apiVersion: ${rest}, metadata: { name: front } }`);
  const workloads = port.placements.list();
  const { snapshot } = sampleState({ yaml: yaml.join("\n---\n"), workloads }).next();
  const [endpoint] = snapshot.endpoints.get("default/front.example/static") ?? [];
  assert.equal(endpoint?.workload, "default/reviews");
  assert.deepEqual(endpoint?.targets, [{ servicePort: 80, address: "10.0.0.3", port: 21_000 }]);
  const view = viewOf(snapshot);
  const member = placed(port) ?? assert.fail("it is placed");
  assert.equal(sidecarFor(view, member)?.metadata.name, "front");
  assert.equal(mtlsMode(view, member, 9080), "STRICT");
  assert.equal(authorizationPoliciesFor(view, member).DENY.length, 1);
  stream.end();
});
