import assert from "node:assert/strict";
import { test } from "node:test";
import { analyzeFiles } from "../../controlplane/offline/analyze-files.ts";
import { parseFiles } from "../../mesh/model/parse-files.ts";
import { FAKE_NOW } from "../fakes/admin-deps.ts";

/** An object in one line of YAML each: `apiVersion`, `kind`, `metadata` and `spec` are lines 1 to 4. */
export function object(kind: string, name: string, spec: string, metadata = ""): string {
  const more = metadata === "" ? "" : `, ${metadata}`;
  return `apiVersion: ${API_VERSIONS[kind] ?? "networking.istio.io/v1"}
kind: ${kind}
metadata: { name: ${name}${more} }
spec: ${spec}
`;
}

const API_VERSIONS: Readonly<Record<string, string>> = {
  AuthorizationPolicy: "security.istio.io/v1",
  PeerAuthentication: "security.istio.io/v1",
  EnvoyFilter: "networking.istio.io/v1alpha3",
  Telemetry: "telemetry.istio.io/v1",
  ProxyConfig: "networking.istio.io/v1beta1",
  MeshConfig: "mesh.istio.io/v1alpha1",
};

/** A service with one HTTP port (9080), or those that are given, and one endpoint of version v1 behind it. */
export function service(
  name: string,
  over: { readonly ports?: string; readonly more?: string } = {},
): string {
  const { ports = "[{ number: 9080, name: http, protocol: HTTP }]", more = "" } = over;
  const host = `${name}.default.svc.cluster.local`;
  return [
    object(
      "ServiceEntry",
      name,
      `{ hosts: [${host}], location: MESH_INTERNAL, resolution: STATIC, ports: ${ports}, workloadSelector: { labels: { app: ${name} } }${more} }`,
    ),
    workload(`${name}-1`, `labels: { app: ${name}, version: v1 }`, `10.0.0.${name.length}`),
  ].join("---\n");
}

export function workload(name: string, more: string, address = "10.1.0.1"): string {
  return object("WorkloadEntry", name, `{ address: ${address}, serviceAccount: ${name}, ${more} }`);
}

export interface AnalysisCase {
  readonly name: string;
  readonly objects: readonly string[];
  /** `CODE Kind namespace/name: a part of the message`, all there are. */
  readonly want: readonly string[];
}

/** What an analysis of these objects finds. Fails on objects that the schemas refuse. */
export function analysisOf(objects: readonly string[]): ReturnType<typeof analyzeFiles> {
  const parsed = parseFiles([{ name: "mesh.yaml", text: objects.join("---\n") }], {
    defaultNamespace: "default",
  });
  const errors = parsed.violations.filter(({ severity }) => severity === "error");
  assert.deepEqual(errors, [], "the sample is valid");
  return analyzeFiles(parsed.objects, { mesh: undefined, now: FAKE_NOW });
}

/** One test for each case: exactly these messages, each with a part of its text. */
export function testAnalysis(cases: readonly AnalysisCase[]): void {
  for (const { name, objects, want } of cases) {
    test(name, () => {
      const found = analysisOf(objects);
      const got = found.map(({ code, origin }) => `${code} ${origin}`).sort();
      assert.deepEqual(
        got,
        want.map((line) => line.slice(0, cut(line))).sort(),
        JSON.stringify(found, undefined, 1),
      );
      for (const line of want) {
        const [head, part] = [line.slice(0, cut(line)), line.slice(cut(line) + 2)];
        const said = found.filter(({ code, origin }) => `${code} ${origin}` === head);
        assert.ok(
          said.some(({ message }) => message.includes(part)),
          `${head} says ${part}: ${said.map(({ message }) => message).join(" | ")}`,
        );
      }
    });
  }
}

function cut(line: string): number {
  const at = line.indexOf(": ");
  return at === -1 ? line.length : at;
}
