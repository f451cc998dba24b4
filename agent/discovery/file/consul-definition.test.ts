import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServices } from "./parse-services.ts";

const HOST = "10.0.0.7";

const whole = {
  service: {
    ID: "web-1",
    name: "web",
    Port: 8080,
    tags: ["lateen.protocol=http", "lateen.version=v2", "primary"],
    meta: { "lateen-namespace": "shop", owner: "us" },
    weights: { passing: 3, warning: 1 },
    check: {
      id: "c",
      http: "http://localhost:8081/ready?x=1",
      interval: "1m30s",
      timeout: "500ms",
      tls_skip_verify: true,
    },
    enable_tag_override: true,
    connect: {
      sidecar_service: {
        port: 21_000,
        proxy: {
          upstreams: [
            { destination_name: "api", local_bind_port: 9191, datacenter: "dc2" },
            { destinationName: "db", LocalBindPort: 5432, local_bind_address: "127.0.0.2" },
            { destination_type: "prepared_query", destination_name: "q", local_bind_port: 1 },
          ],
          config: { protocol: "http" },
        },
      },
    },
  },
};

test("a definition of Consul counts as it is, in whatever case its keys are, and what means nothing is named", () => {
  const parsed = parseServices(JSON.stringify(whole), HOST);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.services, [
    {
      id: "web-1",
      service: "web",
      namespace: "shop",
      serviceAccount: "web",
      address: { address: HOST, port: 8080 },
      app: undefined,
      servicePort: 8080,
      protocol: "http",
      labels: { app: "web", version: "v2" },
      upstreams: [
        { host: "api", port: 0, bindAddress: undefined, bindPort: 9191 },
        { host: "db", port: 0, bindAddress: "127.0.0.2", bindPort: 5432 },
      ],
      healthy: true,
      weight: 3,
      locality: "",
      network: "",
      discovery: undefined,
      interception: "none",
      owner: undefined,
      httpProxy: undefined,
      vips: false,
      mtls: undefined,
      catalog: undefined,
      group: undefined,
      probe: {
        initialDelayMs: 0,
        timeoutMs: 1000,
        periodMs: 90_000,
        successThreshold: 1,
        failureThreshold: 1,
        check: { kind: "http", path: "/ready?x=1", port: 8081, host: "", scheme: "HTTP", headers: [] },
      },
    },
  ]);
  assert.deepEqual(
    parsed.notices.map(({ path }) => path),
    [
      "service.check.tls_skip_verify",
      "service.connect.sidecar_service.proxy.upstreams[0].datacenter",
      "service.connect.sidecar_service.proxy.upstreams[2]",
      "service.connect.sidecar_service.port",
      "service.connect.sidecar_service.proxy.config",
      "service.enable_tag_override",
    ],
  );
});

test("several definitions come in one file, as JSON or YAML; proxies and what says no are left out", () => {
  const text = `
services:
  - { name: api, port: 1, checks: [{ ttl: 10s }, { tcp: "127.0.0.1:1" }, { grpc: "localhost:2/shop" }] }
  - { name: api-sidecar-proxy, kind: connect-proxy, port: 2, proxy: { destination_service_name: api } }
  - { name: quiet, port: 3, tags: ["lateen.inject=false"] }
  - { name: batch, id: batch-7, address: 10.0.0.9, port: 4, check: { args: [/bin/ok, "-x"], interval: 5s } }
`;
  const parsed = parseServices(text, HOST);
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.services.map(({ id, address, probe }) => [id, address.address, probe?.check.kind]),
    [
      ["api", HOST, "tcp"],
      ["batch-7", "10.0.0.9", "exec"],
    ],
  );
  assert.deepEqual(
    parsed.notices.map(({ path, message }) => `${path} ${message}`),
    [
      "services[0].checks[0] is no check that an agent asks",
      "services[0].checks[2] is one check too many",
      'services[1].kind is "connect-proxy": Consul\'s own proxies and gateways are left out',
      "services[2] says that quiet is not to be in the mesh (lateen.inject=false)",
    ],
  );
});

const refused = [
  { name: "no port", service: { Name: "web" }, says: /^service\.port must be a port/ },
  { name: "no name", service: { port: 1, tags: [] }, says: /^service\.name must be the service's name/ },
  {
    name: "a name that is no identity",
    service: { name: "a_b", port: 1 },
    says: /^service\.name cannot be a service account/,
  },
  {
    name: "a tag that cannot be meant",
    service: { name: "a", port: 1, tags: ["lateen.port=x"] },
    says: /^service: tag lateen\.port /,
  },
  {
    name: "tags that contradict each other",
    service: { name: "a", port: 1, tags: ["lateen.sa=x", "lateen.sa=y"] },
    says: /^service: tag lateen\.sa is given as both x and y/,
  },
];

for (const { name, service, says } of refused) {
  test(`a definition with ${name} is refused, with the path`, () => {
    const parsed = parseServices(JSON.stringify({ service }), HOST);
    assert.ok(!parsed.ok);
    assert.match(parsed.violations.map(({ path, message }) => `${path} ${message}`).join("\n"), says);
  });
}
