import assert from "node:assert/strict";
import { test } from "node:test";
import { type SidecarSettings, sidecarServices } from "./sidecar-services.ts";

const ALLOCATION = "228d104e-e160-dd99-14e0-1cf784384419";

/** As Nomad 2.0 gives it to a task with host networking. */
const HOST = {
  NOMAD_ALLOC_ID: ALLOCATION,
  NOMAD_GROUP_NAME: "app",
  NOMAD_JOB_ID: "bookinfo",
  NOMAD_NAMESPACE: "shop",
  NOMAD_ADDR_http: "10.0.0.7:28156",
  NOMAD_IP_http: "10.0.0.7",
  NOMAD_HOST_IP_http: "10.0.0.7",
  NOMAD_PORT_http: "28156",
  NOMAD_ALLOC_PORT_http: "28156",
  NOMAD_HOST_PORT_http: "28156",
};

/** The same with bridge networking and `port "http" { to = 8080 }`. */
const BRIDGE = {
  ...HOST,
  NOMAD_PORT_http: "8080",
  NOMAD_ALLOC_PORT_http: "8080",
  NOMAD_ALLOC_IP_http: "172.26.64.9",
  NOMAD_ALLOC_INTERFACE_http: "eth0",
};

function proxyPort(address: string): Readonly<Record<string, string>> {
  return {
    NOMAD_IP_lateen_http: "10.0.0.7",
    NOMAD_HOST_IP_lateen_http: "10.0.0.7",
    NOMAD_PORT_lateen_http: "29000",
    NOMAD_HOST_PORT_lateen_http: "29000",
    ...(address === "10.0.0.7" ? {} : { NOMAD_ALLOC_IP_lateen_http: address }),
  };
}

const read = (
  environment: Readonly<Record<string, string>>,
  settings: Partial<SidecarSettings> = { services: ["reviews=http"] },
) => sidecarServices({ services: [], clients: [], catalog: "nomad", ...settings }, environment, "127.0.0.1");

const ANNOUNCED = { address: "10.0.0.7", port: 29_000 };

const places = [
  {
    name: "with host networking the proxy has the port that Nomad keeps for it",
    environment: { ...HOST, ...proxyPort("10.0.0.7") },
    app: { address: "127.0.0.1", port: 28_156 },
    inbound: { kind: "mapped", announced: ANNOUNCED, bind: ANNOUNCED },
  },
  {
    name: "with bridge networking it binds inside what is announced outside",
    environment: { ...BRIDGE, ...proxyPort("172.26.64.9") },
    app: { address: "127.0.0.1", port: 8080 },
    inbound: { kind: "mapped", announced: ANNOUNCED, bind: { address: "172.26.64.9", port: 29_000 } },
  },
  {
    name: "with host networking and no such port it has one of the mesh's",
    environment: HOST,
    app: { address: "127.0.0.1", port: 28_156 },
    inbound: { kind: "mesh-port" },
  },
  {
    name: "with bridge networking and an application on loopback it has the service's own",
    environment: BRIDGE,
    services: ["reviews=http lateen.app=127.0.0.1:8080"],
    app: { address: "127.0.0.1", port: 8080 },
    inbound: {
      kind: "mapped",
      announced: { address: "10.0.0.7", port: 28_156 },
      bind: { address: "172.26.64.9", port: 8080 },
    },
  },
] as const;

for (const { name, environment, app, inbound, ...given } of places) {
  test(name, () => {
    const services = "services" in given ? given.services : ["reviews=http"];
    const [service] = read(environment, { services });
    assert.deepEqual([service?.app, service?.inbound], [app, inbound]);
  });
}

test("a port is found by its number too, and a service is what its words say", () => {
  const text =
    "reviews=28156 lateen.version=v2 lateen.protocol=http lateen.upstreams=ratings:9080 lateen.port=80";
  const [service] = read(HOST, { services: [text] });
  assert.equal(service?.id, "reviews-228d104e-e160-http");
  assert.equal(service?.namespace, "shop");
  assert.equal(service?.serviceAccount, "bookinfo");
  assert.equal(service?.servicePort, 80);
  assert.equal(service?.protocol, "http");
  assert.deepEqual(service?.labels, { app: "reviews", version: "v2" });
  assert.deepEqual(
    service?.upstreams.map(({ host, port }) => [host, port]),
    [["ratings", 9080]],
  );
});

const catalogs = [
  {
    catalog: "nomad",
    spec: "reviews=http",
    want: { registry: "nomad", instanceId: `_nomad-task-${ALLOCATION}-group-app-reviews-http` },
  },
  {
    catalog: "nomad",
    spec: "reviews=http task=web",
    want: { registry: "nomad", instanceId: `_nomad-task-${ALLOCATION}-web-reviews-http` },
  },
  {
    catalog: "consul/vm1",
    spec: "reviews=http",
    want: { registry: "consul", instanceId: `vm1/_nomad-task-${ALLOCATION}-group-app-reviews-http` },
  },
  { catalog: "none", spec: "reviews=http", want: undefined },
];

for (const { catalog, spec, want } of catalogs) {
  test(`the catalog ${catalog} has it under the id that Nomad gives ${spec}`, () => {
    assert.deepEqual(read(HOST, { services: [spec], catalog })[0]?.catalog, want);
  });
}

test("a dispatched or periodic job has its parent's identity, as its workload identity says", () => {
  const [service] = read({ ...HOST, NOMAD_JOB_ID: "report/dispatch-1", NOMAD_JOB_PARENT_ID: "report" });
  assert.equal(service?.serviceAccount, "report");
});

test("one that only calls others takes no calls and is in no catalog", () => {
  const [client] = read(HOST, { services: [], clients: ["report lateen.upstreams=api:80"] });
  assert.equal(client?.id, "report-228d104e-e160");
  assert.deepEqual([client?.inbound, client?.catalog], [{ kind: "none" }, undefined]);
});

const mistakes = [
  { name: "no service at all", settings: { services: [] }, says: /no service is named/ },
  { name: "no port", settings: { services: ["reviews"] }, says: /must be NAME=PORT/ },
  {
    name: "a port that the group has not",
    settings: { services: ["reviews=grpc"] },
    says: /the group has no port grpc/,
  },
  {
    name: "a strange word",
    settings: { services: ["reviews=http version=v2"] },
    says: /version=v2 is neither a tag/,
  },
  {
    name: "tags that contradict each other",
    settings: { services: ["reviews=http lateen.sa=a lateen.sa=b"] },
    says: /lateen\.sa is given as both a and b/,
  },
  {
    name: "one service twice",
    settings: { services: ["reviews=http", "reviews=28156"] },
    says: /named twice/,
  },
];

for (const { name, settings, says } of mistakes) {
  test(`${name} is told`, () => {
    assert.throws(() => read(HOST, settings), { code: "config.invalid", message: says });
  });
}

test("everything that is wrong is told at once", () => {
  assert.throws(() => read(HOST, { services: ["a=x", "b"] }), { message: /no port x.*“b” must be/ });
});

test("with bridge networking and nowhere for the proxy to be, what is missing is told", () => {
  assert.throws(() => read(BRIDGE), {
    message: /port "lateen_http" \{ to = -1 \}.*lateen\.app=127\.0\.0\.1:8080/,
  });
});
