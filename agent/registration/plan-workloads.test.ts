import assert from "node:assert/strict";
import { test } from "node:test";
import type { Workload, WorkloadId } from "../../mesh/model/workload.ts";
import type { LocalService } from "../discovery/discovery.ts";
import type { RuledPorts } from "./capture-ports.ts";
import { type Plan, planWorkloads } from "./plan-workloads.ts";
import { type ForeignSocket, HostPorts } from "./ports.ts";

function service(over: Partial<LocalService> = {}): LocalService {
  return {
    id: "reviews-v1",
    service: "reviews",
    namespace: "default",
    serviceAccount: "reviews",
    address: { address: "10.0.0.3", port: 9080 },
    app: undefined,
    servicePort: 9080,
    protocol: "http",
    labels: { version: "v1" },
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
    ...over,
  };
}

function held(address: string, port: number, name = "java"): ForeignSocket {
  return { address, port, inode: "1", uid: 1000, holder: { pid: 4711, name } };
}

function plan(
  services: readonly LocalService[],
  foreign: readonly ForeignSocket[] = [],
  previous: readonly Workload[] = [],
  occupied: readonly ForeignSocket[] = foreign,
  ruled: readonly RuledPorts[] = [],
): Plan {
  const before = new Map<WorkloadId, Workload>(previous.map((one) => [`${one.namespace}/${one.name}`, one]));
  return planWorkloads(services, before, new HostPorts(foreign, occupied), {
    loopback: "127.0.0.1",
    dataPlane: "builtin",
    trustDomain: "cluster.local",
    locality: "eu/north",
    network: "dmz",
    isHere: (address) => !address.startsWith("10.99."),
    vips: "loopback",
    ipv6: true,
    ruled,
  });
}

const placeOf = ({ workloads }: Plan, index = 0): string => {
  const port = workloads[index]?.ports[0];
  return `${port?.inbound.address}:${port?.inbound.port} -> ${port?.app.address}:${port?.app.port}`;
};

const cases: readonly {
  readonly name: string;
  readonly given: Partial<LocalService>;
  readonly foreign?: readonly ForeignSocket[];
  readonly want: string;
}[] = [
  {
    name: "an application on loopback, or not there yet, leaves the service's port to the proxy",
    given: {},
    foreign: [held("127.0.0.1", 9080)],
    want: "10.0.0.3:9080 -> 127.0.0.1:9080",
  },
  {
    name: "an application that holds the service's port gets a mesh port before it",
    given: {},
    foreign: [held("10.0.0.3", 9080)],
    want: "10.0.0.3:21000 -> 10.0.0.3:9080",
  },
  {
    name: "an application that listens everywhere is reached over loopback",
    given: {},
    foreign: [held("0.0.0.0", 9080)],
    want: "10.0.0.3:21000 -> 127.0.0.1:9080",
  },
  {
    name: "a service that is registered at loopback cannot share its port",
    given: { address: { address: "127.0.0.1", port: 9080 } },
    want: "127.0.0.1:21000 -> 127.0.0.1:9080",
  },
  {
    name: "an application's place that the source tells is taken as it is",
    given: { app: { address: "127.0.0.1", port: 3000 } },
    want: "10.0.0.3:9080 -> 127.0.0.1:3000",
  },
];

const captured: typeof cases = [
  {
    name: "a captured application that listens everywhere stays, and is reached over loopback",
    given: { interception: "redirect" },
    foreign: [held("0.0.0.0", 9080)],
    want: "10.0.0.3:9080 -> 127.0.0.1:9080",
  },
  {
    name: "a captured application on the service's address, or not there yet, stays",
    given: { interception: "redirect" },
    want: "10.0.0.3:9080 -> 10.0.0.3:9080",
  },
  {
    name: "a captured application's place that the source tells is taken as it is",
    given: { interception: "redirect", app: { address: "127.0.0.1", port: 3000 } },
    want: "10.0.0.3:9080 -> 127.0.0.1:3000",
  },
];

for (const { name, given, foreign, want } of [...cases, ...captured]) {
  test(name, () => {
    const made = plan([service(given)], foreign);
    assert.equal(placeOf(made), want);
    assert.deepEqual(made.problems, []);
  });
}

test("a workload has its service's facts", () => {
  const [workload] = plan([service()]).workloads;
  assert.equal(workload?.name, "reviews-v1");
  assert.equal(workload?.ports[0]?.name, "http-9080");
  assert.deepEqual(workload?.labels, { version: "v1" });
});

test("a workload that says no locality and network has the host's, and its forward proxy opens the mesh to it", () => {
  const [plain] = plan([service()]).workloads;
  assert.deepEqual([plain?.locality, plain?.network, plain?.discovery], ["eu/north", "dmz", "upstreams"]);
  const httpProxy = { address: undefined, port: 15_080 };
  const [own] = plan([service({ locality: "us", network: "core", httpProxy })]).workloads;
  assert.deepEqual([own?.locality, own?.network, own?.discovery], ["us", "core", "mesh"]);
  assert.deepEqual(own?.httpProxy, { address: "127.0.0.1", port: 15_080 });
});

test("captured workloads get all of the mesh, each with ports of its own that it keeps", () => {
  const captured = (id: string, port: number): LocalService =>
    service({ id, interception: "redirect", address: { address: "10.0.0.3", port } });
  const portsOf = ({ workloads }: Plan): readonly string[] =>
    workloads.map(({ name, capturedAt }) => `${name} ${capturedAt?.outbound} ${capturedAt?.inbound}`);
  const first = plan([captured("b", 9081)]);
  assert.deepEqual(first.workloads[0]?.capturedAt, { outbound: 15_001, inbound: 15_006, ipv6: true });
  assert.equal(first.workloads[0]?.discovery, "mesh");
  const both = plan([captured("a", 9080), captured("b", 9081)], [], first.workloads);
  assert.deepEqual(portsOf(both), ["a 15300 15301", "b 15001 15006"]);
  const third = plan(
    [captured("a", 9080), captured("b", 9081), captured("c", 9082)],
    [held("127.0.0.1", 15_303)],
    both.workloads,
  );
  assert.deepEqual(portsOf(third), ["a 15300 15301", "b 15001 15006", "c 15304 15305"]);
  assert.deepEqual(third.problems, []);
});

test("ports that rules name for a workload are nobody else's, and its own again when it is back", () => {
  const captured = (id: string): LocalService => service({ id, interception: "redirect" });
  const ruled = [
    { workload: "default/gone", outbound: 15_001, inbound: 15_006 },
    { workload: "default/back", outbound: 15_302, inbound: 15_303 },
  ];
  const portsOf = (id: string, previous: readonly Workload[] = []): number | undefined =>
    plan([captured(id)], [], previous, [], ruled).workloads[0]?.capturedAt?.outbound;
  assert.equal(portsOf("new"), 15_300);
  assert.equal(portsOf("back"), 15_302);
  assert.equal(
    portsOf("new", plan([captured("new")]).workloads),
    15_300,
    "it had those of the one that is gone",
  );
});

const uncaptured: readonly {
  readonly name: string;
  readonly given: Partial<LocalService>;
  readonly why: RegExp;
}[] = [
  { name: "that takes no calls", given: { inbound: { kind: "none" } }, why: /takes no calls/ },
  {
    name: "whose place is mapped",
    given: {
      inbound: {
        kind: "mapped",
        announced: { address: "10.0.0.9", port: 31_000 },
        bind: { address: "10.0.0.3", port: 31_001 },
      },
    },
    why: /is mapped/,
  },
  {
    name: "whose application is elsewhere",
    given: { app: { address: "10.99.0.1", port: 9080 } },
    why: /10\.99\.0\.1:9080 is not on this host/,
  },
];

for (const { name, given, why } of uncaptured) {
  test(`a service ${name} is not captured, which is said, and is served all the same`, () => {
    const { workloads, problems } = plan([service({ interception: "redirect", ...given })]);
    assert.deepEqual(
      workloads.map(({ interception, capturedAt }) => [interception, capturedAt]),
      [["none", undefined]],
    );
    assert.deepEqual(
      problems.map(({ error }) => error.code),
      ["agent.capture"],
    );
    assert.match(problems[0]?.error.message ?? "", why);
  });
}

test("a workload without capture has no ports for it", () => {
  assert.equal(plan([service()]).workloads[0]?.capturedAt, undefined);
});

test("a forward proxy without a place is left out, and the rest goes on", () => {
  const made = plan(
    [service({ httpProxy: { address: undefined, port: 15_080 } })],
    [held("127.0.0.1", 15_080, "squid")],
  );
  assert.equal(made.workloads[0]?.httpProxy, undefined);
  assert.match(made.problems[0]?.error.message ?? "", /HTTP forward proxy.*process 4711 \(squid\)/);
});

test("mesh ports differ, avoid what is occupied, and stay with their workloads", () => {
  const services = ["a", "b"].map((id, index) =>
    service({ id, address: { address: "127.0.0.1", port: 9080 + index } }),
  );
  const first = plan(services, [], [], [held("127.0.0.1", 21_000)]);
  assert.equal(placeOf(first, 0), "127.0.0.1:21001 -> 127.0.0.1:9080");
  assert.equal(placeOf(first, 1), "127.0.0.1:21002 -> 127.0.0.1:9081");
  const [, b] = services;
  const second = plan(b === undefined ? [] : [b], [], first.workloads, [held("127.0.0.1", 21_002)]);
  assert.equal(placeOf(second), "127.0.0.1:21002 -> 127.0.0.1:9081");
});

test("an application that is down for a moment keeps its port", () => {
  const up = plan([service()], [held("0.0.0.0", 9080)]);
  const down = plan([service()], [], up.workloads);
  assert.equal(placeOf(down), "10.0.0.3:21000 -> 127.0.0.1:9080");
});

test("an application that has moved to loopback is found there, whatever was planned before", () => {
  const before = plan([service()], [held("10.0.0.3", 9080)]);
  assert.equal(placeOf(before), "10.0.0.3:21000 -> 10.0.0.3:9080");
  const moved = plan([service()], [held("127.0.0.1", 9080)], before.workloads);
  assert.equal(placeOf(moved), "10.0.0.3:9080 -> 127.0.0.1:9080");
});

test("a port that somebody else holds is told with workload, port and holder", () => {
  const made = plan(
    [service({ app: { address: "127.0.0.1", port: 3000 } })],
    [held("10.0.0.3", 9080, "nginx")],
  );
  assert.deepEqual(made.workloads, []);
  const [problem] = made.problems;
  assert.equal(problem?.error.code, "agent.port-taken");
  assert.match(
    problem?.error.message ?? "",
    /10\.0\.0\.3:9080 for workload default\/reviews-v1 .*process 4711 \(nginx\)/,
  );
});

test("an upstream without a place is left out, and the rest goes on", () => {
  const upstreams = [
    { host: "ratings", port: 9080, bindAddress: undefined, bindPort: 9082 },
    { host: "details", port: 9080, bindAddress: undefined, bindPort: 9083 },
    { host: "other", port: 7000, bindAddress: "127.0.0.9", bindPort: undefined },
  ];
  const made = plan([service({ upstreams })], [held("127.0.0.1", 9082, "postgres")]);
  assert.deepEqual(
    made.workloads[0]?.upstreams.map(({ host, bind }) => `${host} ${bind.address}:${bind.port}`),
    ["details 127.0.0.1:9083", "other 127.0.0.9:7000"],
  );
  assert.match(made.problems[0]?.error.message ?? "", /upstream ratings:9080.*process 4711 \(postgres\)/);
});

test("two workloads cannot have the same place: the second is told who has it", () => {
  const upstreams = [{ host: "ratings", port: 9080, bindAddress: undefined, bindPort: 9082 }];
  const made = plan([
    service({ id: "b", upstreams }),
    service({ id: "a", upstreams, address: { address: "10.0.0.3", port: 9081 } }),
  ]);
  assert.match(made.problems[0]?.error.message ?? "", /for workload default\/b .*by workload default\/a/);
});

test("a workload whose address becomes one that is not the host's stays at the one that it had", () => {
  const [running] = plan([service()]).workloads;
  assert.ok(running);
  const address = { address: "10.99.0.1", port: 9080 };
  assert.deepEqual(plan([service({ address })], [], [running]).workloads, [running]);
  assert.equal(placeOf(plan([service({ address })])), "10.99.0.1:9080 -> 127.0.0.1:9080", "it had none");
  const other = service({ address: { address: "10.0.0.4", port: 9080 } });
  assert.match(placeOf(plan([other], [], [running])), /^10\.0\.0\.4:9080 /, "one of the host's own counts");
});

test("a workload that stays where it was keeps its places, whoever claims them and however it is called", () => {
  const upstreams = [{ host: "api", port: 0, bindAddress: undefined, bindPort: 15_100 }];
  const web = service({ id: "web", upstreams });
  const [settled] = plan([web]).workloads;
  assert.ok(settled);
  const claimant = service({ id: "a", address: { address: "10.0.0.3", port: 9081 }, upstreams });
  const [running] = plan([claimant]).workloads;
  assert.ok(running);
  const cases = [
    { name: "a new one", services: [service({ id: "a" }), web], previous: [settled], problem: /inbound/ },
    { name: "a new one's upstream", services: [claimant, web], previous: [settled], problem: /upstream api/ },
    {
      name: "one that has moved",
      services: [service({ id: "a" }), web],
      previous: [running, settled],
      problem: /inbound/,
    },
  ];
  for (const { name, services, previous, problem } of cases) {
    const { workloads, problems } = plan(services, [], previous);
    assert.deepEqual(
      workloads.find((one) => one.name === "web"),
      settled,
      name,
    );
    assert.deepEqual(
      problems.map(({ workload }) => workload),
      ["default/a"],
      name,
    );
    assert.match(problems[0]?.error.message ?? "", problem, name);
  }
});

test("a holder that this user may not see is told as such", () => {
  const socket = { ...held("127.0.0.1", 9082), holder: undefined };
  const upstreams = [{ host: "ratings", port: 9080, bindAddress: undefined, bindPort: 9082 }];
  assert.match(plan([service({ upstreams })], [socket]).problems[0]?.error.message ?? "", /another user/);
});

test("names that cannot be folders or identities are refused", () => {
  for (const bad of [
    { id: "../x" },
    { id: "" },
    { namespace: "a.b" },
    { namespace: "a/b" },
    { serviceAccount: ".." },
  ]) {
    const made = plan([service(bad)]);
    assert.deepEqual(made.workloads, [], JSON.stringify(bad));
    assert.equal(made.problems[0]?.error.code, "agent.discovery");
  }
});

test("when all mesh ports are taken, the workload is told how to do without", () => {
  const occupied = Array.from({ length: 256 }, (_, index) => held("0.0.0.0", 21_000 + index));
  const made = plan([service({ address: { address: "127.0.0.1", port: 9080 } })], [], [], occupied);
  assert.equal(made.problems[0]?.error.code, "agent.port-taken");
  assert.match(made.problems[0]?.error.hint ?? "", /listen on 127\.0\.0\.1/);
});

test("one service of a host calls others by their addresses: a second is told that they are taken, and is served without", () => {
  const web = service({ id: "web", vips: true });
  const job = service({ id: "job", address: { address: "10.0.0.3", port: 9090 }, vips: true });
  const { workloads, problems } = plan([web, job]);
  assert.deepEqual(
    workloads.map(({ name, vips, discovery }) => `${name} ${vips} ${discovery}`),
    ["job loopback mesh", "web none mesh"],
  );
  assert.deepEqual(
    problems.map(({ workload, error }) => `${workload} ${error.code}: ${error.message}`),
    [
      "default/web agent.port-taken: listen at the addresses of services for workload default/web: they are default/job's on this host",
    ],
  );
});

const beside = { kind: "mesh-port" } as const;

const nomad: readonly {
  readonly name: string;
  readonly foreign: readonly ForeignSocket[];
  readonly want: string;
  readonly unsettled: boolean;
}[] = [
  {
    name: "one that is only just starting finds its port free",
    foreign: [],
    want: "10.0.0.3:21000 -> 127.0.0.1:9080",
    unsettled: true,
  },
  {
    name: "one that listens everywhere keeps its port",
    foreign: [held("0.0.0.0", 9080)],
    want: "10.0.0.3:21000 -> 127.0.0.1:9080",
    unsettled: false,
  },
  {
    name: "one that listens at its address is called there",
    foreign: [held("10.0.0.3", 9080)],
    want: "10.0.0.3:21000 -> 10.0.0.3:9080",
    unsettled: false,
  },
  {
    name: "to one that listens on loopback alone its port is of no use, and its proxy takes it",
    foreign: [held("127.0.0.1", 9080)],
    want: "10.0.0.3:9080 -> 127.0.0.1:9080",
    unsettled: false,
  },
];

for (const { name, foreign, want, unsettled } of nomad) {
  test(`of applications whose registration comes first, ${name}`, () => {
    const planned = plan([service({ inbound: beside })], foreign);
    assert.deepEqual([placeOf(planned), planned.unsettled], [want, unsettled]);
  });
}

test("behind a port map the proxy binds at one place and is announced at another", () => {
  const bind = { address: "172.26.64.9", port: 29_000 };
  const announced = { address: "10.0.0.3", port: 29_000 };
  const inbound = { kind: "mapped", announced, bind } as const;
  const { workloads } = plan([service({ inbound, app: { address: "127.0.0.1", port: 8080 } })]);
  const [port] = workloads[0]?.ports ?? [];
  assert.deepEqual([port?.inbound, port?.bind, port?.app.port], [announced, bind, 8080]);
});

test("one that takes no calls has no port, and its upstreams all the same", () => {
  const upstreams = [{ host: "api", port: 80, bindAddress: undefined, bindPort: 8081 }];
  const { workloads, problems } = plan([service({ inbound: { kind: "none" }, upstreams })]);
  assert.deepEqual([workloads[0]?.ports, workloads[0]?.upstreams.length, problems], [[], 1, []]);
});
