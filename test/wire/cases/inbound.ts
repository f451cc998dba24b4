import assert from "node:assert/strict";
import { type At, http, type TcpCall, tcp, type WireCase } from "../wire-case.ts";
import { CERTIFICATES } from "../wire-certificates.ts";
import type { WireRun } from "../wire-run.ts";
import { mesh } from "./mesh.ts";

const TO = "gateway app.test:8085";

/** The caller of the table taken as a server: its application is `unix`. */
export const ingress = (at: At, protocol = ", protocol: HTTP"): string => `
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: server }
spec:
  workloadSelector: { labels: { app: caller } }
  ingress:
    - port: { number: 8085, name: p${protocol} }
      bind: ${at("a").address.replace(/\d+$/, "1")}
      defaultEndpoint: ${at("unix").address}`;

const denied = (rule: string): string => `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: denied }
spec: { selector: { matchLabels: { app: caller } }, action: DENY, rules: [{ ${rule} }] }`;

/** A peer of the mesh with TLS 1.2 and one suite. */
const offering = (ciphers: string): NonNullable<TcpCall["offers"]> => ({
  cert: CERTIFICATES.mesh.pem,
  key: CERTIFICATES.mesh.keyPem,
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
  ciphers,
});

const STRICT = `
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }`;

const LIMIT = "{ http: { http2MaxRequests: 1 } }";

/** How many of four calls that are there at once the application has. */
async function served(wire: WireRun): Promise<number> {
  const answers = await wire.atOnce(4, TO, { headers: { "x-delay": "300" } });
  return answers.filter(({ status }) => status === 200).length;
}

export const INBOUND_CASES: readonly WireCase[] = [
  {
    name: "without a pool of its own an application has all calls at once",
    yaml: ingress,
    run: async (wire) => assert.equal(await served(wire), 4),
  },
  {
    name: "inboundConnectionPool: an application has no more calls at once than it says",
    yaml: (at) => `${ingress(at)}\n  inboundConnectionPool: ${LIMIT}`,
    run: async (wire) => assert.equal(await served(wire), 1),
  },
  {
    name: "connectionPool of an ingress: it goes before that of the Sidecar",
    yaml: (at) =>
      `${ingress(at)}\n      connectionPool: ${LIMIT}\n  inboundConnectionPool: { http: { http2MaxRequests: 100 } }`,
    run: async (wire) => assert.equal(await served(wire), 1),
  },
  {
    name: "meshMTLS: no other suites are agreed on where peers of the mesh come in",
    yaml: (at) =>
      mesh("meshMTLS: { cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384] }") +
      STRICT +
      ingress(at, ", protocol: TCP").replace(
        `defaultEndpoint: ${at("unix").address}`,
        `defaultEndpoint: ${at("tunix").address}`,
      ),
    calls: [
      tcp(TO, "tunix", { serverName: "app.test", offers: offering("ECDHE-ECDSA-AES256-GCM-SHA384") }),
      tcp(TO, "nobody", { serverName: "app.test", offers: offering("ECDHE-ECDSA-AES128-GCM-SHA256") }),
    ],
  },
  {
    name: "tls of an ingress: the application's own TLS ends at the proxy",
    yaml: (at) =>
      `${ingress(at, ", protocol: TLS")}\n      tls: { mode: SIMPLE, serverCertificate: FOLDER/secure.pem, privateKey: FOLDER/secure.key }`.replace(
        `defaultEndpoint: ${at("unix").address}`,
        `defaultEndpoint: ${at("tunix").address}`,
      ),
    calls: [tcp(TO, "tunix", { serverName: "secure.test" }), tcp(TO, "nobody")],
  },
  {
    name: "a call that the application was never sent is tried twice more",
    yaml: ingress,
    run: async (wire) => {
      assert.equal((await wire.http(TO)).echo?.app, "unix");
      await wire.apps.down("unix");
      const { status, body } = await wire.http(TO, { method: "POST" });
      assert.equal(status, 503);
      assert.match(body, /retried and the latest reset reason/);
    },
  },
  {
    name: "what nobody says a port speaks is found out, so that rules for HTTP hold there",
    yaml: (at) => `${ingress(at, "")}${denied("to: [{ operation: { paths: [/tea] } }]")}`,
    calls: [http(TO, "unix"), http(TO, { status: 403 }, { path: "/tea" })],
  },
];
