import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServices } from "./parse-services.ts";

test("the shortest service has a default for everything else", () => {
  assert.deepEqual(parseServices("services: [{ name: web, port: 8080 }]", "10.0.0.7"), {
    ok: true,
    notices: [],
    services: [
      {
        id: "web",
        service: "web",
        namespace: "default",
        serviceAccount: "web",
        address: { address: "10.0.0.7", port: 8080 },
        app: undefined,
        servicePort: 8080,
        protocol: "tcp",
        labels: { app: "web" },
        upstreams: [],
        healthy: true,
        weight: 1,
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
        probe: undefined,
      },
    ],
  });
});

test("every field is read", () => {
  const text = `
services:
  - name: reviews
    id: reviews-v2
    namespace: bookinfo
    serviceAccount: reviewer
    address: 10.0.0.9
    port: 9080
    servicePort: 80
    appAddress: 127.0.0.1
    appPort: 9081
    protocol: http
    labels: { version: v2 }
    upstreams: [ratings:9080, "db:5432@127.0.0.2:5433"]
    locality: eu/eu-1
    network: dmz
    discovery: mesh
    interception: redirect
    owner: unit:web@1.service
    httpProxy: 15080
    vips: true
    mtls: strict
    weight: 3
    health: unhealthy
    registry: embedded
    instanceId: r2
    group: reviews-vms
    probe: { periodSeconds: 2, httpGet: { path: ready, port: 9081 } }
`;
  assert.deepEqual(parseServices(text, "10.0.0.7"), {
    ok: true,
    notices: [],
    services: [
      {
        id: "reviews-v2",
        service: "reviews",
        namespace: "bookinfo",
        serviceAccount: "reviewer",
        address: { address: "10.0.0.9", port: 9080 },
        app: { address: "127.0.0.1", port: 9081 },
        servicePort: 80,
        protocol: "http",
        labels: { app: "reviews", version: "v2" },
        upstreams: [
          { host: "ratings", port: 9080, bindAddress: undefined, bindPort: undefined },
          { host: "db", port: 5432, bindAddress: "127.0.0.2", bindPort: 5433 },
        ],
        healthy: false,
        weight: 3,
        locality: "eu/eu-1",
        network: "dmz",
        discovery: "mesh",
        interception: "redirect",
        owner: { kind: "unit", unit: "web@1.service" },
        httpProxy: { address: undefined, port: 15_080 },
        vips: true,
        mtls: "strict",
        catalog: { registry: "embedded", instanceId: "r2" },
        group: { name: "reviews-vms", defaulted: ["app"] },
        probe: {
          initialDelayMs: 0,
          timeoutMs: 1000,
          periodMs: 2000,
          successThreshold: 1,
          failureThreshold: 3,
          check: { kind: "http", path: "/ready", port: 9081, host: "", scheme: "HTTP", headers: [] },
        },
      },
    ],
  });
});

test("a group may say what the file does not", () => {
  const parsed = parseServices(
    "services: [{ name: web, port: 80, group: web, labels: { app: shop } }]",
    "::1",
  );
  assert.deepEqual(parsed.ok && parsed.services[0]?.group, {
    name: "web",
    defaulted: ["serviceAccount", "weight"],
  });
});

test("a probe that cannot be meant is refused with all that is wrong", () => {
  const text = `services: [{ name: web, port: 80, probe: { periodSeconds: -1, perod: 2, httpGet: { port: 0 }, exec: { command: [] } } }]`;
  const parsed = parseServices(text, "::1");
  assert.deepEqual(!parsed.ok && parsed.violations.map(({ path, message }) => `${path} ${message}`), [
    "services[0].probe.periodSeconds must be at least 0",
    "services[0].probe.httpGet.port must be at least 1",
    "services[0].probe.exec.command must have at least 1 entry",
    "services[0].probe must have exactly one of httpGet, tcpSocket, exec and grpc",
    "services[0].probe.perod unknown field",
  ]);
});

test("an instance of the embedded registry has the service's id there, unless told otherwise", () => {
  const parsed = parseServices(
    '{"services": [{"name": "web", "id": "web-1", "port": 1, "registry": "embedded"}]}',
    "::1",
  );
  assert.deepEqual(parsed.ok && parsed.services[0]?.catalog, { registry: "embedded", instanceId: "web-1" });
});

test("all violations are told at once, each with its path", () => {
  const text = `
services:
  - name: web
    port: 0
    protcol: http
    upstreams: reviews
  - name: My Web
    port: 80
    address: localhost
    labels: { "a b": x }
servces: []
`;
  const parsed = parseServices(text, "10.0.0.7");
  assert.ok(!parsed.ok);
  const lines = parsed.violations.map(({ path, message }) => `${path}: ${message}`);
  for (const wanted of [
    /^services\[0\]\.port: /,
    /^services\[0\]\.protcol: there is no such key, did you mean protocol\?$/,
    /^services\[0\]\.upstreams: “reviews” is not host:port/,
    /^services\[1\]\.name: /,
    /^services\[1\]\.address: must be an IP address$/,
    /^services\[1\]\.labels\.a b: /,
    /^servces: there is no such key, did you mean services\?$/,
  ]) {
    assert.ok(
      lines.some((line) => wanted.test(line)),
      `${wanted} is not in\n${lines.join("\n")}`,
    );
  }
});

const refused: readonly { readonly name: string; readonly text: string; readonly says: RegExp }[] = [
  { name: "text that is no YAML", text: "services: [", says: /flow|expected|end/i },
  { name: "a key that is given twice", text: "services: []\nservices: []", says: /unique/i },
  { name: "YAML that unfolds without end", text: bomb(), says: /alias/i },
  { name: "a list instead of a mapping", text: "- name: web", says: /expected object/ },
  {
    name: "an id that is given twice",
    text: "services: [{ name: a, port: 1 }, { name: a, port: 2 }]",
    says: /services\[1\]\.id a is that of services\[0\] too/,
  },
  {
    name: "a port that is taken twice",
    text: "services: [{ name: a, port: 1 }, { name: b, port: 1 }]",
    says: /services\[1\]\.port 10\.0\.0\.7:1 is services\[0\]'s already/,
  },
  {
    name: "half of an app's place",
    text: "services: [{ name: a, port: 1, appPort: 2 }]",
    says: /appAddress is needed/,
  },
  {
    name: "an id in no catalog",
    text: "services: [{ name: a, port: 1, instanceId: x }]",
    says: /registry is needed/,
  },
  {
    name: "a name that is no identity",
    text: "services: [{ name: a_b, port: 1 }]",
    says: /serviceAccount is needed/,
  },
];

for (const { name, text, says } of refused) {
  test(`${name} is refused`, () => {
    const parsed = parseServices(text, "10.0.0.7");
    assert.ok(!parsed.ok);
    assert.match(parsed.violations.map(({ path, message }) => `${path} ${message}`).join("\n"), says);
  });
}

test("no services are said by an empty list, not by an empty file", () => {
  assert.deepEqual(parseServices("services: []", "10.0.0.7"), { ok: true, services: [], notices: [] });
  assert.equal(parseServices(" \n", "10.0.0.7").ok, false);
});

function bomb(): string {
  const lines = ["a0: &a0 [x, x, x]"];
  for (let level = 1; level < 12; level++)
    lines.push(`a${level}: &a${level} [*a${level - 1}, *a${level - 1}, *a${level - 1}]`);
  return lines.join("\n");
}
