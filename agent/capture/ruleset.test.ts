import assert from "node:assert/strict";
import { test } from "node:test";
import type { CapturedService, CapturePlan } from "./capture-plan.ts";
import { parseCapturePlan } from "./capture-plan.ts";
import {
  bridgingRules,
  captureRules,
  confirmingRules,
  ifMarked,
  removingRules,
  restingRules,
  unbridgingRules,
} from "./ruleset.ts";

function service(over: Partial<CapturedService> = {}): CapturedService {
  return {
    workload: "default/shop",
    owner: { kind: "uid", uid: 1001 },
    outbound: 15_001,
    inbound: 15_006,
    place: { address: "10.0.0.3", port: 8080 },
    everywhere: true,
    ipv6: true,
    ...over,
  };
}

function planOf(services: readonly CapturedService[], over: Partial<CapturePlan> = {}): CapturePlan {
  return { services: [...services], runDir: "/run/lateen", meshUid: 990, keptPorts: [22, 15_012], ...over };
}

const blog = service({
  workload: "default/blog",
  owner: { kind: "uid", uid: 1002 },
  outbound: 15_300,
  inbound: 15_301,
  place: { address: "10.0.0.3", port: 8081 },
});
const unit = service({
  owner: { kind: "cgroup", path: "system.slice/system-shop.slice/shop@1.service" },
});

const cases: readonly { readonly name: string; readonly given: CapturePlan; readonly ends?: number }[] = [
  { name: "two-users", given: planOf([service(), blog]), ends: 60 },
  { name: "unit-before-user", given: planOf([blog, unit]) },
  {
    name: "unit-that-does-not-run",
    given: planOf([service({ owner: { kind: "cgroup", path: "system.slice/gone.service" } })]),
  },
  {
    name: "one-port-at-two-addresses",
    given: planOf([service(), { ...blog, place: { address: "fd00::3", port: 8080 } }]),
  },
  {
    name: "ipv4-alone-and-no-owner",
    given: planOf([service({ owner: undefined, ipv6: false }), { ...blog, ipv6: false }]),
  },
  {
    name: "at-one-address",
    given: planOf([
      service({ everywhere: false }),
      { ...blog, everywhere: false, place: { address: "fd00::3", port: 8081 } },
    ]),
  },
  {
    name: "group-within-a-group",
    given: planOf([
      service({ owner: { kind: "cgroup", path: "shop.slice" } }),
      { ...blog, owner: { kind: "cgroup", path: "shop.slice/blog.service" } },
    ]),
  },
  { name: "name-servers-too", given: planOf([service(), unit], { dnsPort: 15_053 }), ends: 5 },
  {
    name: "kept-port",
    given: planOf([service({ inbound: undefined, place: { address: "10.0.0.3", port: 22 } })]),
  },
];

for (const { name, given, ends } of cases) {
  test(`rules of ${name}`, (t) => {
    const hasGroup = (path: string): boolean => !path.includes("gone");
    const rules = captureRules(given, { mark: "0123abcd", endsAfterSeconds: ends, hasGroup });
    t.assert.fileSnapshot(rules, `agent/capture/golden/${name}.nft`, { serializers: [String] });
  });
}

test("what confirms, rests, bridges and guards names our tables alone", () => {
  const scripts = [
    confirmingRules({}),
    confirmingRules({ dnsPort: 53 }),
    restingRules(),
    bridgingRules(),
    unbridgingRules(),
    ifMarked("ab", removingRules()),
  ];
  for (const script of scripts) {
    for (const line of script.split("\n").filter((one) => /^\w/.test(one)))
      assert.match(
        line,
        /^(?:(?:add|delete|flush) )?(?:table|chain|element|set) inet lateen(?:-bridge)?(?: |$)/,
      );
  }
  assert.match(confirmingRules({ dnsPort: 53 }), /\{ tcp, udp \}/);
});

const hostile: readonly { readonly name: string; readonly change: Record<string, unknown> }[] = [
  { name: "a name that ends a comment", change: { workload: 'default/a" ; flush ruleset' } },
  { name: "a name of two lines", change: { workload: "default/a\nflush ruleset" } },
  { name: "a group that leads elsewhere", change: { owner: { kind: "cgroup", path: "../../etc" } } },
  { name: "a group with a quote", change: { owner: { kind: "cgroup", path: 'a"b' } } },
  { name: "a user that is no number", change: { owner: { kind: "uid", uid: "0 accept" } } },
  { name: "the user that nobody is", change: { owner: { kind: "uid", uid: 4_294_967_295 } } },
  { name: "a port that is no number", change: { outbound: "1; flush ruleset" } },
  { name: "a user's name without end", change: { owner: { kind: "uid", uid: 7, user: "a".repeat(65) } } },
  { name: "port 0", change: { inbound: 0 } },
  { name: "an address that is none", change: { place: { address: "10.0.0.3 accept", port: 80 } } },
];

for (const { name, change } of hostile) {
  test(`a kept plan with ${name} is refused`, () => {
    const plan = planOf([{ ...service(), ...change }]);
    assert.throws(() => parseCapturePlan(JSON.stringify(plan)), { name: "ZodError" });
  });
}

test("a plan that was kept is read as it was", () => {
  const plan = planOf([service(), unit], { dnsPort: 15_053 });
  assert.deepEqual(parseCapturePlan(JSON.stringify(plan)), plan);
});
