import assert from "node:assert/strict";
import { type At, http, type WireCase } from "../wire-case.ts";

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

export const INBOUND_CASES: readonly WireCase[] = [
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
