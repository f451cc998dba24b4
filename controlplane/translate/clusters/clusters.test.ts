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
function see(
  host: string,
  number: number,
  parts: SampleParts,
  over: Parameters<typeof workload>[1] = {},
): Seen {
  const client = workload("client", {
    upstreams: [{ host, port: number, bind: { address: "127.0.0.1", port: 9999 } }],
    ...over,
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

const DISABLE = "spec: { mtls: { mode: DISABLE } }";
const peers = (namespace: string, spec: string): string => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: p, namespace: ${namespace} }
${spec}
---`;
const noAutoMtls = `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { enableAutoMtls: false }
`;
const istioMutual = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec: { host: web, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }
`;
const single = "spec: { selector: { matchLabels: { app: web } }, mtls: { mode: DISABLE } }";

/** Whether mesh TLS is for endpoints that take it (`auto`), for all, or for none. */
const autoMtls: readonly (readonly [string, string, "auto" | "all" | "none"])[] = [
  ["nothing is said", "", "auto"],
  ["the namespace disables it", peers("default", DISABLE), "none"],
  ["another namespace disables it", peers("other", DISABLE), "auto"],
  ["the mesh disables it", peers("istio-system", DISABLE), "none"],
  [
    "the mesh disables it, the namespace does not",
    peers("istio-system", DISABLE) + peers("default", "spec: { mtls: { mode: STRICT } }"),
    "auto",
  ],
  ["one workload disables it: its endpoint says so", peers("default", single), "auto"],
  ["enableAutoMtls is off", noAutoMtls, "none"],
  ["a rule asks for it all the same", noAutoMtls + "---" + istioMutual, "all"],
];
for (const [name, yaml, want] of autoMtls) {
  test(`mesh TLS is for ${want}: ${name}`, () => {
    const { cluster } = see("web", 9080, { workloads: [workload("web")], yaml });
    const seen = cluster["transportSocketMatches"] ? "auto" : cluster["transportSocket"] ? "all" : "none";
    assert.equal(seen, want);
  });
}

test("a port of which nobody says what it speaks is called as the caller speaks, by gateways as HTTP/1.1", () => {
  const yaml = serviceEntry("resolution: DNS").replace(", protocol: HTTP", "");
  const isAsCalled = ({ cluster }: Seen): boolean =>
    JSON.stringify(cluster["typedExtensionProtocolOptions"] ?? {}).includes("useDownstreamProtocolConfig");
  assert.equal(isAsCalled(see("api.example.com", 443, { yaml })), true);
  const gateway = `${yaml}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { app: client }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec: { hosts: ["*"], gateways: [edge], http: [{ route: [{ destination: { host: api.example.com } }] }] }
`;
  const ofGateway = see("api.example.com", 443, { yaml: gateway }, { role: "gateway" });
  assert.equal(ofGateway.cluster["name"], "outbound|443||api.example.com");
  assert.equal(isAsCalled(ofGateway), false);
});

test("a service outside the mesh is called in plaintext, whatever identities it is said to have", () => {
  const yaml = serviceEntry('resolution: DNS, subjectAltNames: ["spiffe://cluster.local/ns/a/sa/b"]');
  const { cluster } = see("api.example.com", 443, { yaml });
  assert.equal(cluster["transportSocketMatches"] ?? cluster["transportSocket"], undefined);
});

test("a rule that chooses its clients lets them use a Secret", () => {
  const yaml = `${serviceEntry("resolution: DNS")}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec:
  host: api.example.com
  workloadSelector: { matchLabels: { app: client } }
  trafficPolicy: { tls: { mode: SIMPLE, credentialName: roots } }
`;
  const { cluster, warnings } = see("api.example.com", 443, { yaml });
  assert.match(JSON.stringify(cluster), /"name":"kubernetes:\/\/roots-cacert"/);
  assert.deepEqual(warnings, []);
});
