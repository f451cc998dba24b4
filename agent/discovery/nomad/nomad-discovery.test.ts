import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { nomadClient } from "../../../mesh/nomad/nomad-client.ts";
import type { NomadSettings } from "../../../mesh/nomad/nomad-settings.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { NomadDouble } from "../../../test/fakes/nomad-double.ts";
import type { FakeAllocation, FakeRegistration } from "../../../test/fakes/nomad-state.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { type DiscoverySubject, type GivenService, SetReader, testDiscovery } from "../discovery.contract.ts";
import type { Discovery, LocalService } from "../discovery.ts";
import { NomadDiscovery } from "./nomad-discovery.ts";

const QUICK = { refillMs: 10, backoffFirstMs: 5, backoffMaxMs: 40, patienceMs: 300, checksMs: 20 };

async function discoveryOf(
  settings: NomadSettings,
  parts: { readonly address?: string; readonly consul?: Discovery; readonly nodeMs?: number } = {},
): Promise<NomadDiscovery & AsyncDisposable> {
  const client = await nomadClient(settings);
  const discovery = new NomadDiscovery({
    client,
    nodeId: undefined,
    address: parts.address,
    consul: parts.consul,
    routedAddress: async () => "172.26.64.1",
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
    timing: { ...QUICK, nodeMs: parts.nodeMs ?? 300_000 },
  });
  return Object.assign(discovery, { [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() });
}

type Put = Partial<FakeRegistration> & {
  readonly network?: "bridge" | "host";
  readonly ports?: readonly object[];
};

/** An allocation of a job with one native service, and its registration. */
function put({ state }: NomadDouble, ID: string, parts: Put = {}): FakeAllocation {
  const { network = "host", ports = [], ...given } = parts;
  const service = given.ServiceName ?? "web";
  const registered = {
    ID,
    ServiceName: service,
    Namespace: "default",
    NodeID: state.nodeId("client-7"),
    Datacenter: "dc1",
    JobID: service,
    Tags: ["lateen.inject=true"],
    Address: "127.0.0.1",
    Port: 9080,
    ...given,
  };
  const known = given.AllocID ?? state.registrations.get(ID)?.AllocID;
  const allocation = state.putAllocation({
    ...(known === undefined ? {} : { ID: known }),
    NodeID: registered.NodeID,
    JobID: service,
    Namespace: registered.Namespace,
    Job: {
      ID: service,
      ParentID: "",
      TaskGroups: [
        {
          Name: "app",
          Networks: [{ Mode: network }],
          Services: [{ Name: service, Provider: "nomad", PortLabel: "http", Tags: registered.Tags }],
          Tasks: [{ Name: "web", Services: null }],
        },
      ],
    },
    AllocatedResources: { Shared: { Networks: null, Ports: ports } },
    NetworkStatus: network === "host" ? null : { InterfaceName: "eth0", Address: "172.26.64.9" },
  });
  state.register({ AllocID: allocation.ID, ...registered });
  return allocation;
}

function tagsOf(service: GivenService): readonly string[] {
  return [
    "lateen.inject=true",
    `lateen.protocol=${service.protocol}`,
    `lateen.version=${service.version}`,
    `lateen.namespace=${service.namespace}`,
    `lateen.sa=${service.serviceAccount}`,
    `lateen.port=${service.servicePort}`,
    `lateen.upstreams=${service.upstreams}`,
  ];
}

async function subject(): Promise<DiscoverySubject> {
  const double = await NomadDouble.start();
  double.state.nodeId("client-7");
  const discovery = await discoveryOf({ address: double.address }, { address: "127.0.0.1" });
  return {
    discovery,
    put: async (given) => {
      const { id, service: ServiceName, address: Address, port: Port } = given;
      put(double, id, { ServiceName, Address, Port, Tags: tagsOf(given) });
    },
    remove: async (id) => {
      double.state.removeAllocation(double.state.registrations.get(id)?.AllocID ?? "");
      double.state.deregister(id);
    },
    breakSource: async () => double.down(),
    async [Symbol.asyncDispose]() {
      await discovery[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

testDiscovery("nomad, with a fake", subject);

async function started(
  given: (double: NomadDouble) => void,
): Promise<AsyncDisposable & { double: NomadDouble; reader: SetReader; discovery: NomadDiscovery }> {
  await using closing = new AsyncDisposableStack();
  const double = closing.use(await NomadDouble.start());
  double.state.nodeId("client-7");
  given(double);
  const discovery = closing.use(await discoveryOf({ address: double.address }));
  const reader = closing.use(new SetReader(discovery));
  await eventually("a set", () => reader.latest);
  const open = closing.move();
  return { double, reader, discovery, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

const UUID = "1f2e3d4c-0000-4000-8000-000000000001";

test("services of other nodes, untagged ones and those of Consul are left to others, and cost no request", async () => {
  await using host = await started((double) => {
    put(double, "web-1");
    put(double, "plain-1", { ServiceName: "plain", Tags: [] });
    put(double, "off-1", { ServiceName: "off", Tags: ["lateen.inject=false"] });
    put(double, "far-1", { ServiceName: "web", NodeID: double.state.nodeId("client-8") });
    put(double, "away-1", { ServiceName: "away", NodeID: double.state.nodeId("client-8") });
  });
  assert.deepEqual(host.reader.ids(), ["web-1"]);
  const asked = new Set(host.double.requests.filter((path) => path.startsWith("/v1/service/")));
  assert.deepEqual([...asked], ["/v1/service/web"]);
});

test("with host networking its port stays the application's, and so the proxy has another", async () => {
  await using host = await started(
    (double) => void put(double, "web-1", { Address: "10.0.0.7", Port: 23_456 }),
  );
  const [service] = host.reader.latest ?? [];
  assert.deepEqual(service?.address, { address: "10.0.0.7", port: 23_456 });
  assert.deepEqual([service?.app, service?.inbound], [undefined, { kind: "mesh-port" }]);
});

const networks = [
  { name: "the host's mapped port", Address: "10.0.0.7", Port: 23_456 },
  { name: "the allocation's own address", Address: "172.26.64.9", Port: 8080 },
];

for (const { name, Address, Port } of networks) {
  test(`with bridge networking the proxy calls into the allocation, registered at ${name}`, async () => {
    await using host = await started((double) => {
      const ports = [{ Label: "http", Value: 23_456, To: 8080, HostIP: "10.0.0.7" }];
      put(double, "web-1", {
        Address,
        Port,
        ports,
        network: "bridge",
        Tags: ["lateen.inject=true", "lateen.upstreams=api:80"],
      });
    });
    const [service] = host.reader.latest ?? [];
    assert.deepEqual(service?.app, { address: "172.26.64.9", port: 8080 });
    assert.equal(service?.address.address, "10.0.0.7");
    assert.deepEqual(service?.inbound, { kind: "mesh-port" });
    const bind = { bindAddress: "172.26.64.1", bindPort: undefined };
    assert.deepEqual(
      service?.upstreams,
      [{ host: "api", port: 80, ...bind }],
      "what it calls is where it sees the host",
    );
  });
}

test("what a service does not say has its default, and Nomad's namespace is the mesh's", async () => {
  await using host = await started((double) => void put(double, "web-1", { Namespace: "shop" }));
  const [service] = host.reader.latest ?? [];
  assert.equal(service?.namespace, "shop");
  assert.equal(service?.serviceAccount, "web");
  assert.deepEqual(service?.catalog, { registry: "nomad", instanceId: "web-1" });
});

test("a check that fails makes the service unhealthy", async () => {
  await using host = await started((double) => void put(double, "web-1"));
  const [allocation] = host.double.state.allocations.keys();
  const check = { Service: "web", Check: "alive", Status: "failure" };
  host.double.state.checks.set(allocation ?? "", { a: check });
  await eventually("unhealthy", () => host.reader.latest?.[0]?.healthy === false);
  host.double.state.checks.set(allocation ?? "", { a: { ...check, Status: "success" } });
  await eventually("healthy", () => host.reader.latest?.[0]?.healthy === true);
});

test("a token that expires keeps what is served, is told with its code, and another in its file mends it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-nomad-"));
  try {
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, "old");
    await using double = await NomadDouble.start();
    double.token = "old";
    put(double, "web-1");
    await using discovery = await discoveryOf({ address: double.address, tokenFile });
    await using reader = new SetReader(discovery);
    await eventually("a set", () => reader.latest);
    double.token = "new";
    put(double, "web-2");
    await eventually("it is told", () => discovery.findings.some(({ code }) => code === "host.nomad-token"));
    // A question that Nomad held already may still be answered.
    assert.equal(reader.ids()?.[0], "web-1");
    await writeFile(tokenFile, "new");
    await eventually("it is mended", () => discovery.findings.length === 0);
    put(double, "web-3");
    await eventually("it is followed again", () => reader.ids()?.join() === "web-1,web-2,web-3");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a Nomad that does not answer is told with its code, from the first moment on", async () => {
  await using double = await NomadDouble.start();
  put(double, "web-1");
  double.down();
  await using discovery = await discoveryOf({ address: double.address });
  await using reader = new SetReader(discovery);
  await eventually("it is told", () =>
    discovery.findings.some(({ code }) => code === "host.nomad-unreachable"),
  );
  assert.equal(reader.latest, undefined);
  double.up();
  await eventually("it is there", () => reader.ids()?.join() === "web-1");
  await eventually("it is mended", () => discovery.findings.length === 0);
});

test("a Nomad that comes back without its data takes nothing away", async () => {
  await using host = await started((double) => {
    for (const id of ["a", "b", "c"]) put(double, `web-${id}`);
  });
  const allocations = [...host.double.state.allocations.values()];
  const registrations = [...host.double.state.registrations.values()];
  host.double.down();
  host.double.state.lose();
  await eventually("the outage is told", () => host.discovery.findings.length > 0);
  host.double.up();
  await eventually("it answers", () => host.discovery.findings.length === 0);
  assert.equal(host.reader.ids()?.length, 3);
  for (const allocation of allocations) host.double.state.putAllocation(allocation);
  for (const registration of registrations) host.double.state.register({ ...registration, Port: 9081 });
  await eventually("they are current", () =>
    host.reader.latest?.every(({ address }) => address.port === 9081),
  );
});

test("after an outage a service whose allocation has ended is gone all the same", async () => {
  const id = `_nomad-task-${UUID}-group-app-web-http`;
  await using host = await started((double) => void put(double, id, { AllocID: UUID }));
  host.double.down();
  host.double.state.deregister(id);
  host.double.state.putAllocation({ ID: UUID, ClientStatus: "complete" });
  await eventually("the outage is told", () => host.discovery.findings.length > 0);
  assert.equal(host.reader.ids()?.length, 1);
  host.double.up();
  await eventually("it is gone", () => host.reader.ids()?.length === 0);
});

test("tags that contradict each other are told with the workload's name, and what was known stays", async () => {
  await using host = await started(
    (double) => void put(double, "web-1", { Tags: ["lateen.inject=true", "lateen.protocol=http"] }),
  );
  put(host.double, "web-1", { Tags: ["lateen.inject=true", "lateen.protocol=http", "lateen.protocol=grpc"] });
  const [finding] = await eventually("it is told", () => {
    const found = host.discovery.findings.filter(({ code }) => code === "host.tags");
    return found.length > 0 ? found : undefined;
  });
  assert.equal(finding?.workload, "default/web-1");
  assert.match(finding?.message ?? "", /is given as both http and grpc/);
  assert.equal(host.reader.latest?.[0]?.protocol, "http");
});

test("a node whose Nomad may give away the proxies' ports is told", async () => {
  await using host = await started((double) => {
    double.state.reservedPorts = "22,21000-21100";
  });
  assert.deepEqual(
    host.discovery.findings.map(({ code }) => code),
    ["host.nomad-ports"],
  );
});

test("what Nomad says of the node's ports counts anew after an outage", async () => {
  await using host = await started((double) => void put(double, "web-1"));
  host.double.down();
  await eventually("the outage is told", () => host.discovery.findings.length > 0);
  host.double.state.reservedPorts = "22";
  host.double.up();
  await eventually("it is told", () =>
    host.discovery.findings.some(({ code }) => code === "host.nomad-ports"),
  );
});

test("what Nomad says of the node's ports is asked for again and again", async () => {
  await using double = await NomadDouble.start();
  put(double, "web-1");
  await using discovery = await discoveryOf({ address: double.address }, { nodeMs: 20 });
  await using reader = new SetReader(discovery);
  await eventually("it is there", () => reader.ids()?.join() === "web-1");
  double.state.reservedPorts = "22";
  await eventually("it is told", () => discovery.findings.some(({ code }) => code === "host.nomad-ports"));
  double.state.reservedPorts = "21000-21255";
  await eventually("it is mended", () => discovery.findings.length === 0);
});

test("a client that comes back as another node is served as that one, and the old one's services are gone", async () => {
  await using host = await started((double) => {
    for (const id of ["a", "b", "c"]) put(double, `old-${id}`);
  });
  host.double.down();
  await eventually("the outage is told", () => host.discovery.findings.length > 0);
  host.double.state.nodes.clear();
  put(host.double, "new-1", { ServiceName: "shop" });
  host.double.up();
  await eventually("the new one's are there", () => host.reader.ids()?.join() === "new-1");
});

test("what a job registers in Consul is served with what Nomad knows of its network, and in both catalogs once", async () => {
  await using double = await NomadDouble.start();
  const ports = [{ Label: "http", Value: 23_456, To: 8080, HostIP: "10.0.0.7" }];
  const allocation = put(double, "web-1", { Address: "10.0.0.7", Port: 23_456, ports, network: "bridge" });
  const inConsul = (service: string, port: number): LocalService => ({
    id: `_nomad-task-${allocation.ID}-group-app-${service}-http`,
    service,
    namespace: "default",
    serviceAccount: service,
    address: { address: "10.0.0.7", port },
    app: undefined,
    servicePort: port,
    protocol: "tcp",
    labels: { app: service },
    upstreams: [],
    healthy: true,
    weight: 1,
    locality: "",
    network: "",
    discovery: undefined,
    interception: "none",
    owner: undefined,
    vips: false,
    mtls: undefined,
    httpProxy: undefined,
    catalog: {
      registry: "consul",
      instanceId: `node/_nomad-task-${allocation.ID}-group-app-${service}-http`,
    },
    group: undefined,
    probe: undefined,
  });
  const consul: Discovery = {
    name: "consul",
    async *watch() {
      yield [inConsul("web", 23_456), inConsul("admin", 23_456)];
    },
  };
  await using discovery = await discoveryOf({ address: double.address }, { consul });
  await using reader = new SetReader(discovery);
  await eventually("both", () => reader.latest?.length === 2);
  assert.deepEqual(
    reader.latest?.map(({ service, catalog, app }) => [service, catalog?.registry, app?.address]),
    [
      ["admin", "consul", "172.26.64.9"],
      ["web", "nomad", "172.26.64.9"],
    ],
  );
});
