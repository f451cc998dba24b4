import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { loadAgentConfig } from "./config.ts";

const load = (
  text: string,
  environment: Record<string, string> = {},
  flags = {},
): ReturnType<typeof loadAgentConfig> =>
  loadAgentConfig({ file: { name: "agent.yaml", text }, environment, flags });

test("without a word, an agent has the usual places", () => {
  const config = load("");
  assert.equal(config.nodeName, hostname());
  assert.equal(config.address, undefined);
  assert.equal(config.loopback, "127.0.0.1");
  assert.equal(config.dataPlane, "builtin");
  assert.equal(config.stateDir, "/var/lib/lateen/agent");
  assert.equal(config.runDir, "/run/lateen");
  assert.deepEqual(config.status, { address: "127.0.0.1", port: 15_020 });
  assert.deepEqual(config.discovery, {
    kind: "consul",
    consul: "http://127.0.0.1:8500",
    nomad: { address: "http://127.0.0.1:4646", withConsul: false },
    sidecar: { services: [], clients: [], catalog: "nomad" },
    path: "/etc/lateen.d/services.d",
    tls: {},
    namespaces: [],
    taggedAddress: "",
    warnings: "healthy",
    prefix: "lateen",
    optOut: false,
    connectProxies: "skip",
  });
});

test("every key has a variable, and flags win", () => {
  const config = load(
    "nodeName: file",
    {
      LATEEN_AGENT_NODE_NAME: "environment",
      LATEEN_AGENT_SERVERS: "a:1,[::1]:2",
      LATEEN_AGENT_DISCOVERY_KIND: "file",
      LATEEN_AGENT_DISCOVERY_TLS_SERVER_NAME: "server.dc1.consul",
    },
    { nodeName: "flag" },
  );
  assert.equal(config.nodeName, "flag");
  assert.deepEqual(config.servers, ["a:1", "[::1]:2"]);
  assert.equal(config.discovery.kind, "file");
  assert.equal(config.discovery.tls.serverName, "server.dc1.consul");
});

test("a Consul is at an http, https or unix address, and a certificate comes with its key", () => {
  for (const address of ["http://127.0.0.1:8500", "https://consul:8501", "unix:///run/consul.sock"])
    assert.equal(load(`discovery: { consul: "${address}" }`).discovery.consul, address);
  for (const address of ["127.0.0.1:8500", "ftp://consul", "unix://", "http://consul:8500/v1/x"])
    assert.throws(() => load(`discovery: { consul: "${address}" }`), /discovery\.consul: must be like/);
  assert.throws(() => load("discovery: { tls: { certFile: a.pem } }"), /both certFile and keyFile/);
});

test("what is wrong is told all at once, with what was probably meant", () => {
  const text =
    "dataplane: envoy\nloopback: localhost\nservers: [nowhere]\ndiscovery: { kind: nomads, pth: x }";
  assert.throws(() => load(text), {
    code: "config.invalid",
    message:
      /(?=.*dataplane: .*did you mean dataPlane)(?=.*loopback: )(?=.*servers\.0: )(?=.*discovery\.kind: )(?=.*discovery\.pth: .*did you mean path)/,
  });
});
