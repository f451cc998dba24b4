import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createTranslator } from "../../../controlplane/translate/translator.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../../mesh/xds/json.ts";
import { listenerName } from "../../../mesh/xds/names.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { port, sampleState, workload } from "../../fakes/sample-mesh.ts";
import { staticCluster } from "../xds-samples.ts";
import type { PolicyCase } from "./case.ts";

export type Json = { readonly [key: string]: JsonValue };

export type NamedJson = Json & { readonly name: string };

export const ADDRESS = "127.0.0.1";

const SERVICE_PORTS = { http: 9080, tcp: 5432 } as const;
const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

/** The listener that a workload with these policies has at a port, as ProtoJSON: what all three places are given. */
export function listenerFor(policies: PolicyCase, number: number, app: number): NamedJson {
  const inbound = { address: ADDRESS, port: number };
  const protocol = policies.protocol ?? "http";
  const state = sampleState({
    yaml: documents(policies, app),
    workloads: [
      workload("server", {
        ports: [
          port({
            protocol,
            inbound,
            app: { address: ADDRESS, port: app },
            servicePort: SERVICE_PORTS[protocol],
          }),
        ],
      }),
    ],
  });
  const { snapshot, changed } = state.next();
  const translator = createTranslator();
  const { failures } = translator.publish(snapshot, changed);
  assert.deepEqual(failures, []);
  const types = translator.preview("default/server-1")?.types;
  const bytes = types?.get(TYPE_URL.listener)?.get(listenerName(ADDRESS, number))?.bytes;
  assert.ok(bytes, `${policies.name}: the port has its listener`);
  return json.resourceToJson(TYPE_URL.listener, bytes) as NamedJson;
}

export function applicationCluster(protocol: "http" | "tcp", app: number): NamedJson {
  const name = `inbound|${SERVICE_PORTS[protocol]}||`;
  return { ...staticCluster(name, [app]), name };
}

function documents({ authorization, authentication = [], mesh }: PolicyCase, app: number): string {
  const document = (kind: string, name: string, spec: string, group = "security.istio.io/v1"): string => `
apiVersion: ${group}
kind: ${kind}
metadata: { name: ${name}${spec.startsWith("DRY ") ? ", annotations: { istio.io/dry-run: 'true' }" : ""} }
spec: { ${spec.replace(/^DRY /, "").replaceAll("APP", String(app))} }
`;
  return [
    ...authorization.map((spec, index) => document("AuthorizationPolicy", `p${index}`, spec)),
    ...authentication.map((spec, index) => document("RequestAuthentication", `r${index}`, spec)),
    ...(mesh === undefined
      ? []
      : [
          document("MeshConfig", "mesh", mesh, "mesh.istio.io/v1alpha1").replace(
            "metadata: {",
            "metadata: { namespace: istio-system,",
          ),
        ]),
  ].join("---");
}
