import assert from "node:assert/strict";
import { test } from "node:test";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { instance, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { sharedTcpSettings, type TcpSettings, tcpSettings } from "./tcp-settings.ts";

function settings(trafficPolicy: string, subset = ""): Partial<TcpSettings> {
  const yaml = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: db }
spec:
  host: db
  trafficPolicy: { loadBalancer: { simple: RANDOM } }
  subsets: [{ name: s, trafficPolicy: ${trafficPolicy} }]
`;
  const { snapshot } = sampleState({ yaml, instances: [instance("db", { protocol: "tcp" })] }).next();
  const hostname = "db.default.svc.cluster.local";
  return inScope(snapshot, ({ view }) => tcpSettings(view, client(), { hostname, port: 9080, subset })).value;
}

const NONE: TcpSettings = {
  idleTimeout: undefined,
  maxDownstreamConnectionDuration: undefined,
  hashPolicy: [],
  tunnelingConfig: undefined,
};

test("a destination without settings has none", () => {
  assert.deepEqual(settings("{ tls: { mode: DISABLE } }"), NONE);
});

test("times of a connection", () => {
  const given = settings("{ connectionPool: { tcp: { idleTimeout: 90s, maxConnectionDuration: 1h } } }", "s");
  assert.deepEqual(given, {
    ...NONE,
    idleTimeout: { seconds: 90, nanos: 0 },
    maxDownstreamConnectionDuration: { seconds: 3600, nanos: 0 },
  });
});

test("a consistent hash of the caller's address, and of nothing that bytes do not have", () => {
  const bySource = settings("{ loadBalancer: { consistentHash: { useSourceIp: true } } }", "s");
  assert.deepEqual(
    bySource.hashPolicy?.map(({ sourceIp }) => sourceIp),
    [{}],
  );
  const byHeader = settings("{ loadBalancer: { consistentHash: { httpHeaderName: x-user } } }", "s");
  assert.deepEqual(byHeader.hashPolicy, []);
});

const tunnels: readonly (readonly [string, string, boolean])[] = [
  ["targetHost: db.example.com, targetPort: 5432", "db.example.com:5432", false],
  ["protocol: POST, targetHost: db.example.com, targetPort: 5432", "db.example.com:5432", true],
  ["protocol: CONNECT, targetHost: '2001:db8::1', targetPort: 5432", "[2001:db8::1]:5432", false],
];
for (const [tunnel, hostname, usePost] of tunnels) {
  test(`a tunnel: ${tunnel}`, () => {
    const { tunnelingConfig } = settings(`{ tunnel: { ${tunnel} } }`, "s");
    assert.equal(tunnelingConfig?.hostname, hostname);
    assert.equal(tunnelingConfig.usePost, usePost);
  });
}

const sharing: readonly (readonly [string, readonly (readonly [string, string])[], number | undefined])[] = [
  ["nobody's", [], undefined],
  ["of one, its subset's", [["db", "slow"]], 90],
  [
    "of several, those of the first one's service",
    [
      ["db", "slow"],
      ["cache", ""],
    ],
    30,
  ],
];
for (const [whose, destinations, idleSeconds] of sharing) {
  test(`the settings of one filter for several destinations are ${whose}`, () => {
    const yaml = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: db }
spec:
  host: db
  trafficPolicy: { connectionPool: { tcp: { idleTimeout: 30s } } }
  subsets: [{ name: slow, trafficPolicy: { connectionPool: { tcp: { idleTimeout: 90s } } } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: cache }
spec: { host: cache, trafficPolicy: { connectionPool: { tcp: { idleTimeout: 5s } } } }
`;
    const instances = ["db", "cache"].map((name) => instance(name, { protocol: "tcp" }));
    const { snapshot } = sampleState({ yaml, instances }).next();
    const all = destinations.map(([name, subset]) => ({
      hostname: `${name}.default.svc.cluster.local`,
      port: 9080,
      subset,
    }));
    const { value } = inScope(snapshot, ({ view }) => sharedTcpSettings(view, client(), all));
    assert.equal(value.idleTimeout?.seconds, idleSeconds);
  });
}
