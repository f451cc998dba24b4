import assert from "node:assert/strict";
import { type CapturedCall, describeCaptured } from "../harness/captured-mesh.ts";
import { eventually } from "../harness/eventually.ts";
import { meshConfig } from "../harness/mesh-policies.ts";

const HOSTS = [
  { name: "caller", service: "caller" },
  { name: "web", service: "web" },
  { name: "store", service: "store", protocol: "tcp" },
] as const;

/** So many that each of two workers gets some of them, on either side, but for one time in a billion. */
const MANY = 32;

/** A port of the stranger, who is not in the mesh. */
const OUTSIDE = 7000;

const CALLS: readonly CapturedCall[] = [
  { to: "http://vip.web:9080", want: "200 web as caller" },
  { to: "tcp://vip.store:9090", want: "store" },
  { to: `http://stranger:${OUTSIDE}`, want: "200 outside" },
  { from: "stranger", to: "http://web:9080", want: "200 web" },
];

describeCaptured(
  "captured calls through proxies of two workers",
  { hosts: HOSTS, outside: [["http", OUTSIDE]], dataPlanes: ["builtin"] },
  (test) => {
    test("each worker knows where a connection was going, inbound and outbound", async (captured) => {
      const { mesh } = captured;
      await mesh.apply(meshConfig({ defaultConfig: { concurrency: 2 } }));
      const metrics = async (name: string): Promise<string> =>
        await mesh
          .host(name)
          .askProxy("/stats/prometheus")
          .catch(() => "");
      for (const { name } of HOSTS) {
        const hasTwo = async (): Promise<boolean> =>
          /^envoy_server_concurrency 2$/m.test(await metrics(name));
        await eventually(`the proxy of ${name} has two workers`, hasTwo, 30_000);
      }
      await captured.expect(...CALLS);
      for (const { want, ...call } of CALLS) {
        const outcomes = await Promise.all(
          Array.from({ length: MANY }, async () => await captured.outcome(call)),
        );
        assert.deepEqual([...new Set(outcomes)], [want], call.to);
      }
      for (const { name } of HOSTS)
        assert.match(await metrics(name), /^envoy_server_concurrency 2$/m, "it still has two");
    });
  },
);
