import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createXdsJson, DESCRIPTORS_URL } from "../../../mesh/xds/json.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { instance, type SampleParts, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import { createTranslator } from "../translator.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

interface Seen {
  readonly cluster: { readonly [field: string]: unknown };
  readonly assignment: { readonly endpoints?: readonly unknown[] } | undefined;
  readonly warnings: readonly PublishWarning[];
}

/** The cluster of a client's only upstream, as text and as JSON. */
function see(host: string, number: number, parts: SampleParts): Seen {
  const client = workload("client", {
    upstreams: [{ host, port: number, bind: { address: "127.0.0.1", port: 9999 } }],
  });
  const { snapshot, changed } = sampleState({
    ...parts,
    workloads: [client, ...(parts.workloads ?? [])],
  }).next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  const types = translator.preview("default/client-1")?.types;
  const find = (type: "cluster" | "endpoints"): unknown => {
    const found = [...(types?.get(TYPE_URL[type])?.values() ?? [])].find(({ name }) =>
      name.startsWith("outbound|"),
    );
    return found && json.resourceToJson(TYPE_URL[type], found.bytes);
  };
  return {
    cluster: find("cluster") as Seen["cluster"],
    assignment: find("endpoints") as Seen["assignment"],
    warnings: translator.publish(snapshot, new Set()).warnings,
  };
}

function serviceEntry(spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ext }
spec: { hosts: [api.example.com], ports: [{ number: 443, name: x, protocol: HTTP }], ${spec} }
`;
}

test("a service without a known identity still checks one: the account of its name", () => {
  const { cluster } = see("legacy", 9080, { instances: [instance("legacy")] });
  const text = JSON.stringify(cluster);
  assert.match(text, /"exact":"spiffe:\/\/cluster\.local\/ns\/default\/sa\/legacy"/);
  assert.match(text, /tlsMode-disabled/);
});

test("an endpoint whose PeerAuthentication disables TLS is called without it", () => {
  const yaml = (mode: string): string => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web }
spec: { selector: { matchLabels: { app: web } }, portLevelMtls: { 9080: { mode: ${mode} } } }
`;
  const workloads = [workload("web")];
  const told = (mode: string): string =>
    JSON.stringify(see("web", 9080, { workloads, yaml: yaml(mode) }).assignment);
  assert.match(told("STRICT"), /"tlsMode":"istio"/);
  assert.match(told("DISABLE"), /"address":"10\.0\.0\.1"/);
  assert.doesNotMatch(told("DISABLE"), /tlsMode/);
});

test("all identities of the endpoints' accounts are accepted, and no other", () => {
  const two = [
    workload("web", { name: "a", serviceAccount: "one" }),
    workload("web", { name: "b", serviceAccount: "two" }),
  ];
  const text = JSON.stringify(see("web", 9080, { workloads: two }).cluster);
  assert.deepEqual(text.match(/spiffe:[^"]+/g), [
    "spiffe://cluster.local/ns/default/sa/one",
    "spiffe://cluster.local/ns/default/sa/two",
  ]);
});

test("an external service by name is looked up and called in plaintext", () => {
  const { cluster, assignment } = see("api.example.com", 443, { yaml: serviceEntry("resolution: DNS") });
  assert.equal(cluster["type"], "STRICT_DNS");
  assert.equal(cluster["transportSocketMatches"], undefined);
  assert.match(JSON.stringify(cluster["loadAssignment"]), /"address":"api\.example\.com","portValue":443/);
  assert.equal(assignment, undefined);
});

test("an endpoint whose address is a host name is left out of EDS, with a warning", () => {
  const { assignment, warnings } = see("legacy", 9080, {
    instances: [
      instance("legacy", { id: "a", address: "db.internal" }),
      instance("legacy", { id: "b", address: "10.1.1.1" }),
    ],
  });
  const text = JSON.stringify(assignment);
  assert.match(text, /10\.1\.1\.1/);
  assert.doesNotMatch(text, /db\.internal/);
  assert.match(warnings.map(({ message }) => message).join(), /consul\/a is left out: db\.internal/);
});

test("unhealthy endpoints are left out, and a service that has none else keeps an empty assignment", () => {
  const { assignment } = see("legacy", 9080, { instances: [instance("legacy", { healthy: false })] });
  assert.deepEqual(assignment, { clusterName: "outbound|9080||legacy.default.svc.cluster.local" });
});

const protocols = [
  ["http", ["istio-http/1.1", "istio", "http/1.1"], false],
  ["grpc", ["istio-h2", "istio", "h2"], true],
  ["tcp", ["istio"], false],
  ["tls", ["istio"], false],
] as const;
for (const [protocol, alpn, http2] of protocols) {
  test(`a ${protocol} service is called with the ALPN ${alpn.join(",")}`, () => {
    const { cluster } = see("legacy", 9080, { instances: [instance("legacy", { protocol })] });
    const text = JSON.stringify(cluster);
    assert.ok(text.includes(`"alpnProtocols":${JSON.stringify(alpn)}`), text);
    assert.equal(text.includes("http2ProtocolOptions"), http2);
  });
}
