import assert from "node:assert/strict";
import { test } from "node:test";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { instance, sampleState } from "../../../test/fakes/sample-mesh.ts";
import { type TcpSettings, tcpSettings } from "./tcp-settings.ts";

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
