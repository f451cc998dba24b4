import assert from "node:assert/strict";
import { test } from "node:test";
import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import { type CaptureHost, type OwnedSocket, planCapture } from "./plan-capture.ts";

const AGENT = 990;

function asked(workload: string, port: number, owner?: string): AskedCapture {
  return {
    workload,
    ...(owner !== undefined && { owner }),
    place: { address: "10.0.0.3", port },
    at: { outbound: 15_001, inbound: 15_006, ipv6: true },
  };
}

function host(sockets: readonly OwnedSocket[] = [], over: Partial<CaptureHost> = {}): CaptureHost {
  const users: Readonly<Record<string, number>> = { web: 1001, dynamic: 61_184, lateen: AGENT, root: 0 };
  const units: Readonly<Record<string, string>> = {
    "web.service": "system.slice/web.service",
    "all.slice": "all.slice",
  };
  return {
    runDir: "/run/lateen",
    meshUid: AGENT,
    meshGroup: "all.slice/lateen-agent.service",
    sockets,
    keptPorts: [22],
    uidOf: (user) => users[user],
    groupOf: (unit) => units[unit],
    noGroups: undefined,
    ...over,
  };
}

const at = (port: number, uid: number): OwnedSocket => ({ address: "0.0.0.0", port, uid });

const owners: readonly {
  readonly name: string;
  readonly given: AskedCapture;
  readonly on?: CaptureHost;
  readonly want: unknown;
}[] = [
  {
    name: "a user",
    given: asked("default/web", 80, "user:web"),
    want: { kind: "uid", uid: 1001, user: "web" },
  },
  {
    name: "a unit",
    given: asked("default/web", 80, "unit:web.service"),
    want: { kind: "cgroup", path: "system.slice/web.service" },
  },
  {
    name: "a control group",
    given: asked("default/web", 80, "cgroup:a/b"),
    want: { kind: "cgroup", path: "a/b" },
  },
  {
    name: "who listens at the port",
    given: asked("default/web", 80),
    on: host([at(80, 1001), at(81, 1002)]),
    want: { kind: "uid", uid: 1001 },
  },
  { name: "nobody that listens", given: asked("default/web", 80), want: /nothing listens at port 80/ },
  {
    name: "two that listen",
    given: asked("default/web", 80),
    on: host([at(80, 1001), at(80, 1002)]),
    want: /several users listen/,
  },
  { name: "root that listens", given: asked("default/web", 80), on: host([at(80, 0)]), want: /root listens/ },
  {
    name: "the mesh's user that listens",
    given: asked("default/web", 80),
    on: host([at(80, AGENT)]),
    want: /mesh's own user/,
  },
  {
    name: "root",
    given: asked("default/web", 80, "user:root"),
    want: /not all that root calls/,
  },
  {
    name: "a user for as long as its unit runs",
    given: asked("default/web", 80, "user:dynamic"),
    want: /61184.*name its unit/,
  },
  {
    name: "such a user that listens",
    given: asked("default/web", 80),
    on: host([at(80, 65_519)]),
    want: /name its unit/,
  },
  { name: "a user that does not exist", given: asked("default/web", 80, "user:gone"), want: /no user gone/ },
  {
    name: "the user of the proxies",
    given: asked("default/web", 80, "user:lateen"),
    want: /come back to them/,
  },
  {
    name: "a unit that does not exist",
    given: asked("default/web", 80, "unit:gone.service"),
    want: /no unit gone/,
  },
  {
    name: "a slice with the proxies in it",
    given: asked("default/web", 80, "unit:all.slice"),
    want: /come back/,
  },
  {
    name: "a unit where nft knows no groups",
    given: asked("default/web", 80, "unit:web.service"),
    on: host([], { noGroups: "nft is too old" }),
    want: /nft is too old/,
  },
];

for (const { name, given, on = host(), want } of owners) {
  test(`owner: ${name}`, () => {
    const { plan, findings } = planCapture([given], on, undefined);
    const [service] = plan.services;
    if (!(want instanceof RegExp)) {
      assert.deepEqual([service?.owner, findings], [want, []]);
      return;
    }
    assert.equal(service?.owner, undefined);
    assert.equal(service?.inbound, 15_006, "what comes in is captured all the same");
    assert.deepEqual(
      findings.map(({ code, severity, workload }) => [code, severity, workload]),
      [["host.capture-owner", "error", "default/web"]],
    );
    assert.match(findings[0]?.message ?? "", want);
    assert.notEqual(findings[0]?.hint, "");
  });
}

test("two services of one owner: the first has it, the second is told", () => {
  const { plan, findings } = planCapture(
    [asked("default/b", 81, "user:web"), asked("default/a", 80, "user:web")],
    host(),
    undefined,
  );
  assert.deepEqual(
    plan.services.map(({ workload, owner }) => [workload, owner?.kind]),
    [
      ["default/a", "uid"],
      ["default/b", undefined],
    ],
  );
  assert.match(findings[0]?.message ?? "", /default\/b and default\/a have one owner/);
});

test("a user by its name and the same one by its socket are one owner", () => {
  const { findings } = planCapture(
    [asked("default/a", 80, "user:web"), asked("default/b", 81)],
    host([at(81, 1001)]),
    undefined,
  );
  assert.match(findings[0]?.message ?? "", /have one owner \(user 1001\)/);
});

test("SSH's port is never captured, even where a service says that it is its own", () => {
  const { plan, findings } = planCapture([asked("default/web", 22, "user:web")], host(), undefined);
  assert.equal(plan.services[0]?.inbound, undefined);
  assert.deepEqual(plan.keptPorts, [22]);
  assert.equal(findings[0]?.code, "host.left-open");
});

const listeners: readonly {
  readonly name: string;
  readonly at: readonly string[];
  readonly want: boolean;
}[] = [
  { name: "nobody", at: [], want: false },
  { name: "its own address", at: ["10.0.0.3"], want: false },
  { name: "another address", at: ["10.0.0.4"], want: false },
  { name: "all addresses", at: ["::"], want: true },
  { name: "its own address, and somebody at all others", at: ["10.0.0.3", "0.0.0.0"], want: false },
];

for (const { name, at: addresses, want } of listeners) {
  test(`a service that listens at ${name} is captured at ${want ? "all addresses" : "its place alone"}`, () => {
    const sockets = addresses.map((address) => ({ address, port: 80, uid: 1001 }));
    const { plan } = planCapture([asked("default/web", 80, "user:web")], host(sockets), undefined);
    assert.equal(plan.services[0]?.everywhere, want);
  });
}
