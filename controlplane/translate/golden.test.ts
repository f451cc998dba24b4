import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createXdsJson, type JsonValue } from "../../mesh/xds/json.ts";
import { DESCRIPTORS_URL, MessageTypes } from "../../mesh/xds/message-types.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import {
  bookinfoWorkloads,
  instance,
  port,
  type SampleParts,
  sampleState,
  workload,
} from "../../test/fakes/sample-mesh.ts";
import { by } from "../snapshot/text-order.ts";
import { createTranslator } from "./translator.ts";

interface Case extends SampleParts {
  readonly name: string;
  /** Whose resources are looked at. */
  readonly workload: string;
  /** What it has asked for on demand. */
  readonly asked?: readonly string[];
}

/** Types that a golden file has even when there is none of them. */
const SERVED_ALWAYS: readonly string[] = [
  TYPE_URL.cluster,
  TYPE_URL.endpoints,
  TYPE_URL.listener,
  TYPE_URL.route,
];

const messageTypes = new MessageTypes(() => readFileSync(DESCRIPTORS_URL));
const json = createXdsJson(messageTypes);

const subsets = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
    - { name: v3, labels: { version: v3 } }
`;

/** What a golden case applies. */
function yamlOf(name: string): string {
  return readFileSync(join(import.meta.dirname, `golden/${name}.yaml`), "utf8");
}

const CAPTURED = workload("shop", { interception: "redirect", discovery: "mesh" });

const UNNAMED = yamlOf("unnamed-protocols");
const TCP_PORT = { name: "tcp-9090", protocol: "tcp", servicePort: 9090 } as const;

const cases: readonly Case[] = [
  {
    name: "client-with-http-and-tcp-upstreams",
    workload: "default/productpage-1",
    workloads: bookinfoWorkloads(),
  },
  {
    name: "telemetry",
    workload: "default/productpage-1",
    workloads: [
      ...bookinfoWorkloads(),
      workload("otel", { ports: [port({ name: "grpc-4317", protocol: "grpc", servicePort: 4317 })] }),
      workload("zipkin", { ports: [port({ name: "http-9411", servicePort: 9411 })] }),
    ],
    yaml: yamlOf("telemetry"),
  },
  { name: "tcp-server", workload: "default/ratingsdb-1", workloads: bookinfoWorkloads() },
  {
    name: "strict-server-with-policies",
    workload: "default/ratings-1",
    workloads: bookinfoWorkloads(),
    yaml: yamlOf("strict-server-with-policies"),
  },
  {
    name: "request-authentication",
    workload: "default/ratings-1",
    workloads: bookinfoWorkloads(),
    yaml: yamlOf("request-authentication"),
  },
  {
    name: "external-authorization",
    workload: "default/ratings-1",
    workloads: bookinfoWorkloads(),
    yaml: yamlOf("external-authorization"),
  },
  {
    name: "calls-are-told",
    workload: "default/shop-1",
    workloads: [
      workload("shop", {
        reportsCalls: true,
        ports: [port(), port({ ...TCP_PORT, inbound: { address: "10.0.0.1", port: 9090 } })],
      }),
    ],
  },
  {
    name: "plaintext-catalog-instances",
    workload: "default/reviews-v1",
    workloads: bookinfoWorkloads().filter(({ service }) => service === "reviews"),
    instances: [
      instance("ratings", { id: "r1", address: "10.9.0.1", port: 9080, weight: 3 }),
      instance("ratings", { id: "r2", address: "10.9.0.2", port: 9080, locality: "eu/a" }),
      instance("ratings", { id: "r3", address: "10.9.0.3", port: 9080, healthy: false }),
    ],
  },
  {
    name: "virtual-service-canary",
    workload: "default/productpage-1",
    workloads: bookinfoWorkloads(),
    yaml: `${subsets}---
${yamlOf("virtual-service-canary")}`,
  },
  {
    name: "virtual-service-everything",
    workload: "default/productpage-1",
    workloads: bookinfoWorkloads(),
    yaml: yamlOf("virtual-service-everything"),
  },
  {
    name: "destination-rule-everything",
    workload: "default/productpage-1",
    workloads: bookinfoWorkloads(),
    yaml: yamlOf("destination-rule-everything"),
  },
  { name: "captured", workload: "default/shop-1", workloads: [...bookinfoWorkloads(), CAPTURED] },
  {
    name: "captured-dynamic-dns",
    workload: "default/shop-1",
    workloads: [...bookinfoWorkloads().filter(({ service }) => service === "reviews"), CAPTURED],
    yaml: `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { outboundTrafficPolicy: { mode: ALLOW_ANY_DYNAMIC_DNS }, protocolDetectionTimeout: 0.5s }
`,
  },
  {
    name: "dynamic-dns-over-tls",
    workload: "default/shop-1",
    workloads: [workload("shop", { discovery: "mesh", ports: [] })],
    yaml: `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec:
  outboundTrafficPolicy: { mode: ALLOW_ANY_DYNAMIC_DNS, tls: { mode: SIMPLE } }
  tlsDefaults: { minProtocolVersion: TLSV1_3 }
  proxyHttpPort: 3128
`,
  },
  {
    name: "captured-with-sidecar",
    workload: "default/shop-1",
    workloads: [...bookinfoWorkloads(), CAPTURED],
    yaml: yamlOf("captured-with-sidecar"),
  },
  {
    name: "connection-routes",
    workload: "default/shop-1",
    workloads: [CAPTURED],
    yaml: yamlOf("connection-routes"),
  },
  {
    name: "sidecar-ingress",
    workload: "default/shop-1",
    workloads: [workload("shop", { discovery: "mesh" })],
    yaml: yamlOf("sidecar-ingress"),
  },
  {
    name: "egress-proxy",
    workload: "default/shop-1",
    workloads: [...bookinfoWorkloads().filter(({ service }) => service !== "productpage"), CAPTURED],
    yaml: yamlOf("egress-proxy"),
  },
  {
    name: "mesh-config",
    workload: "default/shop-1",
    workloads: [...bookinfoWorkloads().filter(({ service }) => service === "details"), CAPTURED],
    yaml: yamlOf("mesh-config"),
  },
  {
    name: "external-authorization-grpc",
    workload: "default/shop-1",
    workloads: [...bookinfoWorkloads().filter(({ service }) => service === "details"), workload("shop")],
    yaml: yamlOf("external-authorization-grpc"),
  },
  {
    name: "unnamed-protocols-captured",
    workload: "default/shop-1",
    workloads: [CAPTURED],
    yaml: `${UNNAMED}---
${yamlOf("unnamed-protocols-captured")}`,
  },
  {
    name: "unnamed-protocols",
    workload: "default/shop-1",
    workloads: [
      workload("shop", {
        discovery: "mesh",
        vips: "loopback",
        upstreams: [
          { host: "site.example", port: 7000, bind: { address: "127.0.0.1", port: 9101 } },
          { host: "database.example", port: 3306, bind: { address: "127.0.0.1", port: 9102 } },
        ],
      }),
    ],
    yaml: `${UNNAMED}---
${yamlOf("unnamed-protocols-sidecar")}`,
  },
  {
    name: "envoy-filter",
    workload: "default/ratings-1",
    workloads: bookinfoWorkloads(),
    yaml: yamlOf("envoy-filter"),
  },
  {
    name: "on-demand",
    workload: "default/details-1",
    workloads: bookinfoWorkloads()
      .filter(({ service }) => ["details", "ratingsdb", "reviews"].includes(service))
      .map((one) => ({ ...one, discovery: "on-demand", vips: "loopback" })),
    asked: ["outbound|5432||ratingsdb.default.svc.cluster.local"],
  },
];

for (const { name, workload: subject, asked = [], ...parts } of cases) {
  test(`translates ${name}`, (t) => {
    const translator = createTranslator({ messageTypes });
    const state = sampleState(parts);
    state.setObserved(subject, asked);
    const { snapshot, changed } = state.next();
    const { failures } = translator.publish(snapshot, changed);
    assert.deepEqual(failures, []);
    const resources = translator.preview(subject);
    assert.ok(resources, "the workload is there");
    const report = translator.publish(snapshot, new Set());
    assert.deepEqual(report.failures, []);
    const printed: { [type: string]: JsonValue } = {
      warnings: report.warnings.map(({ subject, message }) => `${subject}: ${message}`),
    };
    for (const [short, url] of Object.entries(TYPE_URL)) {
      const map = resources.types.get(url);
      if (map !== undefined && (map.size > 0 || SERVED_ALWAYS.includes(url)))
        printed[short] = [...map.values()]
          .sort(by(({ name }) => name))
          .map(({ bytes }) => json.resourceToJson(url, bytes));
    }
    t.assert.fileSnapshot(printed, join(import.meta.dirname, `golden/${name}.json`));
  });
}
