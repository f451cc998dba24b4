import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { type CallOptions, http2Call } from "../harness/mesh-calls.ts";
import { authorizationPolicy, peerAuthentication } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { bindPortOf } from "../harness/mesh-topology.ts";

const DATA_PLANES = ["builtin", "envoy"] as const;
const PORT = 7000;

/** Both data planes as callers, and both as servers. */
const HOSTS = DATA_PLANES.flatMap((dataPlane) => [
  {
    name: `caller-${dataPlane}`,
    service: "caller",
    dataPlane,
    upstreams: DATA_PLANES.map((server) => `${server}.test:${PORT}`),
  },
  { name: `server-${dataPlane}`, service: `server-${dataPlane}`, dataPlane },
]);

/** A service of the server at a port whose protocol nobody says, and nobody says it on the server's side either. */
const unnamed = (server: string): string => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${server} }
spec:
  hosts: [${server}.test]
  ports: [{ number: ${PORT}, name: any, targetPort: 9080 }]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: { labels: { app: server-${server} } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${server} }
spec:
  workloadSelector: { labels: { app: server-${server} } }
  ingress: [{ port: { number: 9080, name: any } }]`;

/** Of the caller, and only of GET /public. */
const PUBLIC = {
  action: "ALLOW",
  rules: [
    {
      from: [{ source: { principals: ["e2e.local/ns/default/sa/caller"] } }],
      to: [{ operation: { methods: ["GET"], paths: ["/public"] } }],
    },
  ],
} as const;

const CALLS: readonly (readonly [path: string, options: CallOptions, status: number])[] = [
  ["/public", {}, 200],
  ["/private", {}, 403],
  ["/public", { method: "POST" }, 403],
];

// Which it is for each host is said above.
describeMesh("HTTP that nobody has named", { hosts: HOSTS, dataPlanes: ["envoy"] }, (mesh) => {
  for (const mode of ["STRICT", "PERMISSIVE"] as const) {
    for (const from of DATA_PLANES) {
      for (const to of DATA_PLANES) {
        test(`is judged as HTTP: ${from} calls ${to}, ${mode}`, async () => {
          const policy = authorizationPolicy("public", `server-${to}`, PUBLIC);
          await mesh().apply(`${unnamed(to)}\n${peerAuthentication(mode)}${policy}`);
          const caller = `caller-${from}`;
          const upstream = `${to}.test:${PORT}`;
          await eventually("the policy in force", async () => {
            const { status } = await mesh().call(caller, upstream, "/private");
            return status === 403;
          });
          for (const [path, options, status] of CALLS) {
            const reply = await mesh().call(caller, upstream, path, options);
            assert.equal(reply.status, status, `${path} ${JSON.stringify(options)}: ${reply.failure}`);
          }
          const { spec } = mesh().host(caller);
          const origin = `http://${spec.loopback}:${bindPortOf(spec, upstream)}`;
          const refused = await http2Call(origin, undefined);
          assert.equal(refused.status, 403, `over HTTP/2: ${refused.failure}`);
        });
      }
    }
  }
});
