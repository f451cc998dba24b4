import assert from "node:assert/strict";
import { test } from "node:test";
import type { CapturePlan } from "./capture-plan.ts";
import { foreignRules } from "./foreign-rules.ts";

const plan: Pick<CapturePlan, "services"> = {
  services: [
    {
      workload: "default/web",
      outbound: 15_001,
      inbound: 15_006,
      place: { address: "10.0.0.3", port: 80 },
      everywhere: true,
      ipv6: true,
    },
  ],
};

const nat = (hook: string, prio: number, over = {}): unknown => ({
  chain: {
    family: "ip",
    table: "nat",
    name: "PREROUTING",
    type: "nat",
    hook,
    prio,
    policy: "accept",
    ...over,
  },
});
const input = (over = {}): unknown => ({
  chain: {
    family: "inet",
    table: "filter",
    name: "input",
    type: "filter",
    hook: "input",
    prio: 0,
    policy: "drop",
    ...over,
  },
});
const plain = (name: string): unknown => ({ chain: { family: "ip", table: "nat", name, handle: 3 } });

const cases: readonly {
  readonly name: string;
  readonly given: readonly unknown[];
  readonly want: readonly string[];
}[] = [
  { name: "nobody else's", given: [], want: [] },
  { name: "docker's", given: [nat("prerouting", -100), nat("output", -100), plain("DOCKER")], want: [] },
  {
    name: "Consul's",
    given: [nat("output", -100), plain("CONSUL_PROXY_OUTPUT")],
    want: ["error Consul captures"],
  },
  {
    name: "Istio's",
    given: [plain("ISTIO_OUTPUT"), plain("ISTIO_REDIRECT")],
    want: ["error Istio captures"],
  },
  { name: "Kuma's", given: [plain("KUMA_MESH_OUTBOUND")], want: ["error Kuma captures"] },
  {
    name: "an earlier chain",
    given: [nat("prerouting", -150)],
    want: ["warning chain ip nat PREROUTING comes before ours"],
  },
  { name: "an earlier chain that only masks", given: [nat("postrouting", -150)], want: [] },
  {
    name: "a firewall that drops",
    given: [input()],
    want: ["warning the firewall (chain inet filter input) drops"],
  },
  { name: "a firewall that does not", given: [input({ policy: "accept" })], want: [] },
  {
    name: "our own",
    given: [input({ table: "lateen" }), nat("output", -110, { family: "inet", table: "lateen" })],
    want: [],
  },
  { name: "a bridge's", given: [input({ family: "bridge" })], want: [] },
];

for (const { name, given, want } of cases) {
  test(`rules in our way: ${name}`, () => {
    const found = foreignRules(JSON.stringify({ nftables: [{ metainfo: {} }, ...given] }), plan);
    const said = found.map(({ severity, message }) => `${severity} ${message}`);
    assert.equal(said.length, want.length, said.join("\n"));
    for (const [index, text] of want.entries()) assert.ok(said[index]?.startsWith(text), said[index]);
    for (const { code, hint } of found) assert.deepEqual([code, hint === ""], ["host.foreign-rules", false]);
  });
}
