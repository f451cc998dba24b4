import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DESCRIPTORS_URL, MessageTypes } from "../../mesh/xds/message-types.ts";
import { gatewayWorkload } from "../../test/fakes/gateway-mesh.ts";
import { bookinfoWorkloads, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { createTranslator } from "./translator.ts";

const FULL = "reviews.default.svc.cluster.local";
const SPELLINGS = [
  "reviews",
  "reviews.default",
  "reviews.service.consul",
  "reviews.default.mesh",
  "Reviews.default.svc",
];

const NETWORKING = "networking.istio.io/v1";

function object(kind: string, spec: object, apiVersion = NETWORKING, namespace = "default"): string {
  return JSON.stringify({ apiVersion, kind, metadata: { name: "a", namespace }, spec });
}

function meshConfig(spec: object): string {
  return object("MeshConfig", spec, "mesh.istio.io/v1alpha1");
}

const GATEWAY = object("Gateway", {
  selector: { istio: "ingressgateway" },
  servers: [{ port: { number: 8080, name: "http", protocol: "HTTP" }, hosts: [FULL] }],
});
const to = (host: string): object => ({ destination: { host, port: { number: 9080 } } });

/** Istio refuses short names in the first two; a MeshConfig's are of the root namespace, which has no such service. */
const WITHOUT_SHORT_NAME = [
  "Sidecar egress hosts",
  "Sidecar egress hosts that are taken out",
  "networks registryServiceName",
];

/** Every field that names a host of the mesh. */
const PLACES: Readonly<Record<string, (host: string) => string>> = {
  "VirtualService hosts": (host) =>
    object("VirtualService", { hosts: [host], http: [{ timeout: "3s", route: [to("details")] }] }),
  "VirtualService hosts, at a gateway": (host) =>
    `${GATEWAY}\n---\n${object("VirtualService", { hosts: [host], gateways: ["a"], http: [{ route: [to("details")] }] })}`,
  "http route": (host) => object("VirtualService", { hosts: ["details"], http: [{ route: [to(host)] }] }),
  "http mirror": (host) =>
    object("VirtualService", { hosts: ["details"], http: [{ route: [to("details")], mirror: { host } }] }),
  "http mirrors": (host) =>
    object("VirtualService", {
      hosts: ["details"],
      http: [{ route: [to("details")], mirrors: [{ destination: { host } }] }],
    }),
  "tcp route": (host) => object("VirtualService", { hosts: ["ratingsdb"], tcp: [{ route: [to(host)] }] }),
  "DestinationRule host": (host) =>
    object("DestinationRule", { host, trafficPolicy: { loadBalancer: { simple: "RANDOM" } } }),
  "Sidecar egress hosts": (host) => object("Sidecar", { egress: [{ hosts: [`./${host}`] }] }),
  "Sidecar egress hosts that are taken out": (host) =>
    object("Sidecar", { egress: [{ hosts: ["./*", `~./${host}`] }] }),
  "Sidecar egressProxy": (host) =>
    object("Sidecar", {
      outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host, port: { number: 9080 } } },
    }),
  "EnvoyFilter cluster.service": (host) =>
    object(
      "EnvoyFilter",
      {
        configPatches: [
          {
            applyTo: "CLUSTER",
            match: { cluster: { service: host } },
            patch: { operation: "MERGE", value: { connect_timeout: "3s" } },
          },
        ],
      },
      "networking.istio.io/v1alpha3",
    ),
  "extensionProviders service": (host) =>
    `${meshConfig({ extensionProviders: [{ name: "p", envoyExtAuthzHttp: { service: `default/${host}`, port: 9080 } }] })}
---
${object("AuthorizationPolicy", { action: "CUSTOM", provider: { name: "p" }, rules: [{}] }, "security.istio.io/v1")}`,
  "networks registryServiceName": (host) =>
    `${meshConfig({ networks: { far: { gateways: [{ registryServiceName: host, port: 9080 }] } } })}
---
${object("ServiceEntry", {
  hosts: ["far.example"],
  location: "MESH_INTERNAL",
  resolution: "STATIC",
  ports: [{ number: 80, name: "http", protocol: "HTTP" }],
  endpoints: [{ address: "10.9.0.1", network: "far", serviceAccount: "a" }],
})}`,
};

const messageTypes = new MessageTypes(() => readFileSync(DESCRIPTORS_URL));
const WORKLOADS = [
  ...bookinfoWorkloads(),
  workload("shop", { interception: "redirect", discovery: "mesh" }),
  gatewayWorkload(),
];

/** All bytes that the workloads get. */
function resourcesOf(yaml: string): readonly string[] {
  const { snapshot, changed } = sampleState({ yaml, workloads: WORKLOADS }).next();
  const translator = createTranslator({ messageTypes });
  assert.deepEqual(translator.publish(snapshot, changed).failures, []);
  return [...snapshot.workloads.keys()].flatMap((id) =>
    [...(translator.preview(id)?.types.values() ?? [])].flatMap((resources) =>
      [...resources.values()].map(
        ({ name, bytes }) => `${id} ${name} ${Buffer.from(bytes).toString("base64")}`,
      ),
    ),
  );
}

for (const [place, yaml] of Object.entries(PLACES)) {
  test(`a host is the same in all its spellings: ${place}`, () => {
    const full = resourcesOf(yaml(FULL));
    assert.notDeepEqual(full, resourcesOf(yaml("nobody.default.svc.cluster.local")), "it makes a difference");
    for (const host of SPELLINGS) {
      if (host === "reviews" && WITHOUT_SHORT_NAME.includes(place)) continue;
      const given = resourcesOf(yaml(host));
      assert.ok(JSON.stringify(given) === JSON.stringify(full), `${host} is another than ${FULL}`);
    }
  });
}
