import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { telemetryFor } from "./telemetry.ts";

const MESH = `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec:
  accessLogFile: /dev/stdout
  extensionProviders:
    - { name: file, envoyFileAccessLog: { path: /var/log/calls.log } }
    - { name: otel, envoyOtelAls: { service: otel.default.svc.cluster.local, port: 4317 } }
    - { name: zipkin, zipkin: { service: zipkin.default.svc.cluster.local, port: 9411 } }
    - { name: otlp, opentelemetry: { service: otel.default.svc.cluster.local, port: 4317 } }
`;

const telemetry = (name: string, namespace: string, spec: string): string => `
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${spec} }`;

interface Case {
  readonly name: string;
  readonly yaml: string;
  readonly side?: "CLIENT" | "SERVER";
  /** `provider` or `provider if expression`. */
  readonly logs: readonly string[];
  /** `provider at percent`. */
  readonly tracing?: string;
}

const cases: readonly Case[] = [
  { name: "MeshConfig's log where nobody says anything", yaml: "", logs: ["envoy"] },
  {
    name: "the root namespace names another",
    yaml: telemetry("root", "istio-system", "accessLogging: [{ providers: [{ name: file }] }]"),
    logs: ["file"],
  },
  {
    name: "a namespace filters what it inherits",
    yaml:
      telemetry("root", "istio-system", "accessLogging: [{ providers: [{ name: file }, { name: otel }] }]") +
      telemetry("own", "default", 'accessLogging: [{ filter: { expression: "response.code >= 400" } }]'),
    logs: ["file if response.code >= 400", "otel if response.code >= 400"],
  },
  {
    name: "a workload switches it off",
    yaml:
      telemetry("root", "istio-system", "accessLogging: [{ providers: [{ name: file }] }]") +
      telemetry(
        "own",
        "default",
        "selector: { matchLabels: { app: a } }, accessLogging: [{ disabled: true }]",
      ),
    logs: [],
  },
  {
    name: "another workload's does not count",
    yaml: telemetry(
      "own",
      "default",
      "selector: { matchLabels: { app: b } }, accessLogging: [{ disabled: true }]",
    ),
    logs: ["envoy"],
  },
  {
    name: "only servers",
    yaml: telemetry("root", "istio-system", "accessLogging: [{ match: { mode: SERVER }, disabled: true }]"),
    side: "CLIENT",
    logs: ["envoy"],
  },
  {
    name: "sampling is said nearer than the provider",
    yaml:
      telemetry("root", "istio-system", "tracing: [{ providers: [{ name: zipkin }] }]") +
      telemetry("own", "default", "tracing: [{ randomSamplingPercentage: 12.5 }]"),
    logs: ["envoy"],
    tracing: "zipkin at 12.5",
  },
  {
    name: "one percent is traced where nobody says",
    yaml: telemetry("root", "istio-system", "tracing: [{ providers: [{ name: otlp }] }]"),
    logs: ["envoy"],
    tracing: "otlp at 1",
  },
  {
    name: "spans are switched off",
    yaml:
      telemetry("root", "istio-system", "tracing: [{ providers: [{ name: otlp }] }]") +
      telemetry("own", "default", "tracing: [{ disableSpanReporting: true }]"),
    logs: ["envoy"],
  },
];

for (const { name, yaml, side = "SERVER", logs, tracing } of cases) {
  test(name, () => {
    const { snapshot } = sampleState({ yaml: MESH + yaml }).next();
    const found = telemetryFor(viewOf(snapshot), workload("a", { labels: { app: "a" } }), side);
    assert.deepEqual(
      found.logs.map((log) => log.provider.name + (log.filter === undefined ? "" : ` if ${log.filter}`)),
      logs,
    );
    const traced = found.tracing && `${found.tracing.provider.name} at ${found.tracing.sampling}`;
    assert.equal(traced, tracing);
  });
}

test("a provider that there is not is told", () => {
  const yaml = MESH + telemetry("t", "default", "accessLogging: [{ providers: [{ name: nobody }] }]");
  const { snapshot } = sampleState({ yaml }).next();
  const told: string[] = [];
  const found = telemetryFor(viewOf(snapshot), workload("a"), "SERVER", (by, provider) =>
    told.push(`${by.metadata.name} ${provider}`),
  );
  assert.deepEqual([found.logs, told], [[], ["t nobody"]]);
});

test("the provider envoy is there without a MeshConfig, and writes to the standard output", () => {
  const yaml = telemetry("t", "default", "accessLogging: [{ providers: [{ name: envoy }] }]");
  const { snapshot } = sampleState({ yaml }).next();
  const told: string[] = [];
  const { logs } = telemetryFor(viewOf(snapshot), workload("a"), "SERVER", (_, provider) =>
    told.push(provider),
  );
  assert.deepEqual(told, []);
  assert.deepEqual(logs, [
    {
      provider: {
        kind: "file-log",
        name: "envoy",
        path: "/dev/stdout",
        format: { text: "", labels: undefined, omitEmptyValues: false },
      },
      filter: undefined,
    },
  ]);
});
