import assert from "node:assert/strict";
import { test } from "node:test";
import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import type { CapturedService, CapturePlan } from "./capture-plan.ts";
import { type AgreedHost, stillAgrees } from "./still-agrees.ts";

const shop: CapturedService = {
  workload: "default/shop",
  owner: { kind: "uid", uid: 1001, user: "shop" },
  outbound: 15_001,
  inbound: 15_006,
  place: { address: "10.0.0.3", port: 8080 },
  everywhere: true,
  ipv6: true,
};
const told: AskedCapture = {
  workload: "default/shop",
  place: shop.place,
  at: { outbound: 15_001, inbound: 15_006, ipv6: true },
};
const same: AgreedHost = { meshUid: 990, meshGroup: "lateen.slice/agent", uidOf: () => 1001 };
const planOf = (...services: readonly CapturedService[]): CapturePlan => ({
  services: [...services],
  runDir: "/run/lateen",
  meshUid: 990,
  keptPorts: [22],
});

test("a kept plan that the agent and the host still agree with is as it was", () => {
  assert.deepEqual(stillAgrees(planOf(shop), [told], same), { plan: planOf(shop), leftOut: [] });
  const { inbound: _, ...kept } = shop;
  assert.deepEqual(stillAgrees(planOf(kept), [told], same).leftOut, [], "its port is never captured");
});

const changes: readonly {
  readonly name: string;
  readonly service?: CapturedService;
  readonly asked?: readonly AskedCapture[];
  readonly host?: AgreedHost;
  readonly why: RegExp;
}[] = [
  { name: "is gone", asked: [], why: /default\/shop is left out: the agent has none of this name/ },
  {
    name: "has other ports, which are another's now",
    asked: [
      { ...told, at: { ...told.at, outbound: 15_300, inbound: 15_301 } },
      { ...told, workload: "default/other" },
    ],
    why: /others now/,
  },
  {
    name: "is elsewhere",
    asked: [{ ...told, place: { address: "10.0.0.4", port: 8080 } }],
    why: /others now/,
  },
  {
    name: "has a user of another number",
    host: { ...same, uidOf: () => 1002 },
    why: /user shop has not the number 1001/,
  },
  { name: "has a user that is gone", host: { ...same, uidOf: () => undefined }, why: /user shop/ },
  { name: "has the user that is the mesh's now", host: { ...same, meshUid: 1001 }, why: /mesh's proxies/ },
  {
    name: "has a group that the mesh is in now",
    service: { ...shop, owner: { kind: "cgroup", path: "lateen.slice" } },
    why: /in lateen\.slice too/,
  },
];

for (const { name, service = shop, asked = [told], host = same, why } of changes) {
  test(`a service of a kept plan that ${name} is left out, with a line`, () => {
    const other = { ...shop, workload: "default/more", owner: undefined };
    const more = { ...told, workload: "default/more" };
    const { plan, leftOut } = stillAgrees(planOf(service, other), [...asked, more], host);
    assert.deepEqual(
      plan.services.map(({ workload }) => workload),
      ["default/more"],
    );
    assert.equal(leftOut.length, 1);
    assert.match(leftOut[0] ?? "", why);
  });
}
