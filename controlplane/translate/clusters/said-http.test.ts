import assert from "node:assert/strict";
import { test } from "node:test";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { sampleState } from "../../../test/fakes/sample-mesh.ts";
import type { Client } from "../../policy/client.ts";
import { saidHttp } from "./said-http.ts";

interface Case {
  readonly name: string;
  /** Of the ServiceEntry's port. */
  readonly port?: string;
  readonly location?: string;
  readonly policy?: string;
  readonly rule?: string;
  readonly subset?: string;
  readonly role?: Client["role"];
  readonly want: ReturnType<typeof saidHttp>;
}

const DISABLE = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: DISABLE } }
---`;
const UPGRADE = "trafficPolicy: { connectionPool: { http: { h2UpgradePolicy: UPGRADE } } }";
const AS_CALLED = "trafficPolicy: { connectionPool: { http: { useClientProtocol: true } } }";
const PLAIN_SUBSET = "subsets: [{ name: v1, trafficPolicy: { tls: { mode: DISABLE } } }]";

const cases: readonly Case[] = [
  { name: "in the mesh", want: "as-called" },
  { name: "where the protocol is known", port: "protocol: HTTP", want: undefined },
  { name: "of bytes", port: "protocol: TCP", want: undefined },
  { name: "outside the mesh", location: "MESH_EXTERNAL", want: undefined },
  { name: "where the mesh has plaintext", policy: DISABLE, want: undefined },
  {
    name: "where a rule asks for mesh TLS all the same",
    policy: DISABLE,
    rule: "trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }",
    want: "as-called",
  },
  {
    name: "where a rule has TLS of the application's",
    rule: "trafficPolicy: { tls: { mode: SIMPLE } }",
    want: undefined,
  },
  { name: "where only a subset has plaintext", rule: PLAIN_SUBSET, want: "as-called" },
  { name: "of a subset that has plaintext", rule: PLAIN_SUBSET, subset: "v1", want: undefined },
  { name: "from a gateway, which speaks HTTP/1.1", role: "gateway", want: "http1" },
  { name: "from a gateway whose cluster says HTTP/2", role: "gateway", rule: UPGRADE, want: undefined },
  { name: "from a gateway that speaks as called", role: "gateway", rule: AS_CALLED, want: "as-called" },
];

for (const { name, port = "name: any", location = "MESH_INTERNAL", rule, want, ...one } of cases) {
  test(`HTTP found at a port ${name}: ${want ?? "there is nothing to say"}`, () => {
    const yaml = `${one.policy ?? ""}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: site }
spec: { hosts: [site.test], ports: [{ number: 7000, ${port.replace("protocol", "name: http, protocol")} }], location: ${location}, resolution: STATIC, endpoints: [{ address: 10.0.0.1 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: site }
spec: { host: site.test, ${rule ?? "trafficPolicy: { loadBalancer: { simple: RANDOM } }"} }`;
    const { snapshot } = sampleState({ yaml }).next();
    const said = inScope(snapshot, ({ view }) =>
      saidHttp(view, client({ role: one.role ?? "sidecar" }), {
        hostname: "site.test",
        port: 7000,
        subset: one.subset ?? "",
      }),
    );
    assert.equal(said.value, want);
  });
}
