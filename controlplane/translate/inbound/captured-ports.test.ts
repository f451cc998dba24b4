import assert from "node:assert/strict";
import { test } from "node:test";
import { port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { type Call, PLAIN_CALL } from "../../simulate/call.ts";
import { simulate } from "../../simulate/simulate.ts";
import { decodeXdsConfig } from "../../simulate/xds-config.ts";
import { createTranslator } from "../translator.ts";

const PEER = "spiffe://cluster.local/ns/default/sa/page";

const SPOKEN: Readonly<Record<"plain" | "app TLS" | "mesh TLS", Partial<Call>>> = {
  plain: { protocol: "tcp" },
  "app TLS": { protocol: "tcp", tls: { sni: "db.example.com", alpn: [] } },
  "mesh TLS": {
    protocol: "tcp",
    tls: { sni: "outbound_.5432_._.db.default.svc.cluster.local", alpn: ["istio"] },
    source: { address: "10.0.0.9", port: undefined, principal: PEER },
  },
};

const everywhere = (mode: string): string => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: mesh, namespace: istio-system }
spec: { mtls: { mode: ${mode} } }
---`;

const forPort = (number: number, mode: string): string => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: db }
spec:
  selector: { matchLabels: { app: db } }
  portLevelMtls: { ${number}: { mode: ${mode} } }
---`;

const OWN = 5432;
const FOREIGN = 9000;
const PASSED = "InboundPassthroughCluster";

/** Whose port, what is said, what the caller speaks; where it ends, or undefined when it is turned away. */
const table: readonly (readonly [
  string,
  string,
  number,
  readonly (readonly [keyof typeof SPOKEN, string | undefined])[],
])[] = [
  [
    "a port whose mesh TLS is off takes the application's own",
    everywhere("DISABLE"),
    OWN,
    [
      ["plain", "inbound|5432||"],
      ["app TLS", "inbound|5432||"],
      ["mesh TLS", "inbound|5432||"],
    ],
  ],
  [
    "so does a port of no service",
    everywhere("DISABLE"),
    FOREIGN,
    [
      ["plain", PASSED],
      ["app TLS", PASSED],
    ],
  ],
  [
    "a port of no service can be made strict by its number",
    everywhere("DISABLE") + forPort(FOREIGN, "STRICT"),
    FOREIGN,
    [
      ["plain", undefined],
      ["app TLS", undefined],
      ["mesh TLS", PASSED],
    ],
  ],
  [
    "a port of no service can be excepted from a strict mesh by its number",
    everywhere("STRICT") + forPort(FOREIGN, "DISABLE"),
    FOREIGN,
    [
      ["plain", PASSED],
      ["app TLS", PASSED],
    ],
  ],
  [
    "and the others stay strict",
    everywhere("STRICT") + forPort(FOREIGN, "DISABLE"),
    FOREIGN + 1,
    [
      ["plain", undefined],
      ["mesh TLS", PASSED],
    ],
  ],
  [
    "a port of the workload keeps its own chains when it is named",
    everywhere("DISABLE") + forPort(OWN, "STRICT"),
    OWN,
    [
      ["plain", undefined],
      ["mesh TLS", "inbound|5432||"],
    ],
  ],
];
for (const [sentence, yaml, called, calls] of table) {
  test(`of captured connections, ${sentence}`, () => {
    const address = { address: "10.0.0.1", port: OWN };
    const own = port({ name: "tcp-db", protocol: "tcp", servicePort: OWN, inbound: address, app: address });
    const state = sampleState({
      yaml,
      workloads: [workload("db", { ports: [own], interception: "redirect" })],
    });
    const { snapshot, changed } = state.next();
    const translator = createTranslator();
    translator.publish(snapshot, changed);
    const types = translator.preview("default/db-1")?.types;
    assert.ok(types);
    const config = decodeXdsConfig(types);
    const ends = calls.map(([spoken]) => {
      const call: Call = {
        ...PLAIN_CALL,
        ...SPOKEN[spoken],
        direction: "inbound",
        address: "10.0.0.1",
        port: called,
      };
      const { action, outcome } = simulate(config, call);
      const arrives = outcome.kind !== "error" && action?.kind === "forward";
      return [spoken, arrives ? action.targets[0]?.cluster : undefined];
    });
    assert.deepEqual(ends, calls);
  });
}
