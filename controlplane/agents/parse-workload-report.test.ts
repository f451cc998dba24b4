import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Port,
  type Upstream,
  type Workload,
  WorkloadReport,
} from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { wireWorkload } from "../../test/harness/agent-port.ts";
import { parseWorkloadReport } from "./parse-workload-report.ts";

const port: Port = {
  name: "",
  protocol: "http",
  servicePort: 9080,
  inboundAddress: "10.0.0.3",
  inboundPort: 9080,
  appAddress: "127.0.0.1",
  appPort: 9080,
  bind: undefined,
};
const upstream: Upstream = { host: "ratings", port: 9080, bindAddress: "127.0.0.1", bindPort: 9081 };
const report = (...workloads: Workload[]) => parseWorkloadReport({ sequence: 7, workloads });

test("a workload is read with its defaults: weight 1, the port's name from protocol and number", () => {
  const wire = wireWorkload("reviews-v1", {
    service: "reviews",
    labels: { version: "v1", app: "reviews" },
    ports: [port],
    upstreams: [upstream],
    catalog: { registry: "consul", instanceId: "reviews-1" },
    dataPlane: "envoy",
    locality: "eu/1/a",
    network: "dmz",
    role: "gateway",
    interception: "tproxy",
    capturedAt: { outbound: 15_300, inbound: 15_301, ipv6: true },
    discovery: "mesh",
    httpProxy: { address: "127.0.0.1", port: 15_080 },
    vips: "loopback",
    reportsCalls: true,
    mtls: "strict",
    group: "reviews",
    defaulted: ["app", "weight", "colour"],
  });
  // Over the wire and back, as it comes in.
  const decoded = WorkloadReport.decode(WorkloadReport.encode({ sequence: 7, workloads: [wire] }).finish());
  assert.deepEqual(parseWorkloadReport(decoded), {
    sequence: 7,
    refusals: [],
    workloads: [
      {
        name: "reviews-v1",
        namespace: "default",
        service: "reviews",
        serviceAccount: "reviews-v1",
        labels: { app: "reviews", version: "v1" },
        ports: [
          {
            name: "http-9080",
            protocol: "http",
            servicePort: 9080,
            inbound: { address: "10.0.0.3", port: 9080 },
            app: { address: "127.0.0.1", port: 9080 },
          },
        ],
        upstreams: [{ host: "ratings", port: 9080, bind: { address: "127.0.0.1", port: 9081 } }],
        healthy: true,
        weight: 1,
        locality: "eu/1/a",
        network: "dmz",
        role: "gateway",
        interception: "tproxy",
        capturedAt: { outbound: 15_300, inbound: 15_301, ipv6: true },
        discovery: "mesh",
        httpProxy: { address: "127.0.0.1", port: 15_080 },
        vips: "loopback",
        reportsCalls: true,
        mtls: "strict",
        dataPlane: "envoy",
        catalog: { registry: "consul", instanceId: "reviews-1" },
        group: { name: "reviews", defaulted: ["weight", "app"], applied: undefined },
      },
    ],
  });
});

const wrong: readonly {
  readonly name: string;
  readonly changes: Partial<Workload>;
  readonly reason: RegExp;
}[] = [
  { name: "no name", changes: { name: "" }, reason: /^name must/ },
  { name: "a slash in the name", changes: { name: "a/b" }, reason: /^name must/ },
  { name: "a namespace with a dot", changes: { namespace: "a.b" }, reason: /namespace must/ },
  { name: "an upper-case namespace", changes: { namespace: "Default" }, reason: /namespace must/ },
  { name: "a service with a dot", changes: { service: "a.b" }, reason: /service must/ },
  { name: "a service account that is ..", changes: { serviceAccount: ".." }, reason: /serviceAccount must/ },
  {
    name: "a service account with a slash",
    changes: { serviceAccount: "a/sa/b" },
    reason: /serviceAccount must/,
  },
  { name: "another data plane", changes: { dataPlane: "nginx" }, reason: /dataPlane must/ },
  { name: "a huge weight", changes: { weight: 4_294_967_295 }, reason: /weight must/ },
  { name: "another role", changes: { role: "waypoint" }, reason: /role must/ },
  {
    name: "one port of capture for both ways",
    changes: { capturedAt: { outbound: 15_001, inbound: 15_001, ipv6: false } },
    reason: /capturedAt must/,
  },
  {
    name: "no port of capture",
    changes: { capturedAt: { outbound: 15_001, inbound: 0, ipv6: false } },
    reason: /capturedAt must/,
  },
  { name: "another interception", changes: { interception: "ebpf" }, reason: /interception must/ },
  { name: "another discovery", changes: { discovery: "all" }, reason: /discovery must/ },
  { name: "a control character in its network", changes: { network: "\u001b" }, reason: /network must/ },
  {
    name: "a forward proxy without a port",
    changes: { httpProxy: { address: "127.0.0.1", port: 0 } },
    reason: /httpProxy\.port/,
  },
  { name: "a control character in a label", changes: { labels: { a: "\u001b[2J" } }, reason: /label "a"/ },
  { name: "a label without a key", changes: { labels: { "": "x" } }, reason: /label ""/ },
  {
    name: "a catalog without an instance",
    changes: { catalog: { registry: "consul", instanceId: "" } },
    reason: /catalog/,
  },
  { name: "port 0", changes: { ports: [{ ...port, servicePort: 0 }] }, reason: /ports\[0\]: servicePort/ },
  { name: "port 65536", changes: { ports: [{ ...port, appPort: 65_536 }] }, reason: /ports\[0\]: appPort/ },
  { name: "a port twice", changes: { ports: [port, port] }, reason: /ports\[1\]: servicePort is another/ },
  { name: "another protocol", changes: { ports: [{ ...port, protocol: "udp" }] }, reason: /protocol must/ },
  {
    name: "a host for an address",
    changes: { ports: [{ ...port, inboundAddress: "localhost" }] },
    reason: /inboundAddress/,
  },
  {
    name: "an upstream without a host",
    changes: { upstreams: [{ ...upstream, host: "" }] },
    reason: /upstreams\[0\]: host/,
  },
  {
    name: "two upstreams at one place",
    changes: { upstreams: [upstream, upstream] },
    reason: /upstreams\[1\]: it binds/,
  },
];

for (const { name, changes, reason } of wrong) {
  test(`a workload with ${name} is refused, the one beside it is not`, () => {
    const { workloads, refusals } = report(wireWorkload("bad", changes), wireWorkload("good"));
    assert.deepEqual(
      workloads.map((workload) => workload.name),
      ["good"],
    );
    assert.equal(refusals.length, 1);
    assert.match(refusals[0]?.reason ?? "", reason);
  });
}

test("everything that is wrong with a workload is told at once", () => {
  const { refusals } = report(
    wireWorkload("a b", { namespace: "X", ports: [{ ...port, servicePort: 0, appPort: 0 }] }),
  );
  assert.equal(refusals[0]?.reason.split("; ").length, 6);
  assert.equal(refusals[0]?.workload, "X/a b");
});

test("the second of two workloads with one name is refused", () => {
  const { workloads, refusals } = report(wireWorkload("a"), wireWorkload("a"));
  assert.equal(workloads.length, 1);
  assert.match(refusals[0]?.reason ?? "", /same name/);
});

test("a thousand workloads are read, one more is a report that is refused", () => {
  const many = Array.from({ length: 1000 }, (_, index) => wireWorkload(`w${index}`));
  assert.equal(report(...many).workloads.length, 1000);
  assert.throws(() => report(...many, wireWorkload("one-more")), { code: "object.invalid" });
});

test("a workload is named as Nomad names what it registers, there and in Consul", () => {
  const name = "_nomad-task-228d104e-e160-dd99-14e0-1cf784384419-group-app-web-http";
  const { workloads, refusals } = report(wireWorkload("web", { name }));
  assert.deepEqual([workloads.map((one) => one.name), refusals], [[name], []]);
});

test("where a proxy binds behind a port map is taken, and refused when it is no place", () => {
  const bind = { address: "172.26.64.9", port: 29_000 };
  const { workloads } = report(wireWorkload("web", { ports: [{ ...port, bind }] }));
  assert.deepEqual(workloads[0]?.ports[0]?.bind, bind);
  const wrong = report(wireWorkload("web", { ports: [{ ...port, bind: { address: "here", port: 0 } }] }));
  assert.match(wrong.refusals[0]?.reason ?? "", /bind\.address must be an IP address.*bind\.port must be/);
});
