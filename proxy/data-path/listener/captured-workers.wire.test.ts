import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { eventually } from "../../../test/harness/eventually.ts";
import { NamespaceShell } from "../../../test/harness/namespace-shell.ts";
import { type Namespace, NetworkLab } from "../../../test/harness/network-lab.ts";
import { ProxyProgram } from "../../../test/harness/proxy-program.ts";
import { skipWithoutNamespaces } from "../../../test/harness/tools.ts";
import { address, staticCluster, tcpProxy } from "../../../test/harness/xds-samples.ts";

const PORT = 7000;
/** Two addresses of the host that is called: each has an application of its own. */
const PLACES = [
  { family: "IPv4", address: "10.77.0.2" },
  { family: "IPv6", address: "fd00:77::2" },
  { family: "IPv6", address: "fd00:77::3" },
] as const;
/** So many that each of two workers gets some of them, on either side, but for one time in a billion. */
const MANY = 32;

/** A proxy of two workers that hands what is captured at a port on to where it was going. */
async function proxyIn(
  within: Namespace,
  port: number,
  cleanup: AsyncDisposableStack,
): Promise<ProxyProgram> {
  const proxy = cleanup.use(await ProxyProgram.start({ within, name: within.name, concurrency: 2 }));
  const { loadAssignment: _, ...cluster } = staticCluster("on", [], {
    type: "ORIGINAL_DST",
    lbPolicy: "CLUSTER_PROVIDED",
  });
  proxy.ads.set("cluster", "on", cluster);
  proxy.ads.set("listener", "captured", {
    name: "captured",
    address: address(port, "::"),
    listenerFilters: [
      {
        name: "envoy.filters.listener.original_dst",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
        },
      },
    ],
    filterChains: [{ filters: [tcpProxy({ cluster: "on" })] }],
  });
  await proxy.ready();
  assert.deepEqual(proxy.ads.nacks, []);
  return proxy;
}

test("each of two workers knows where captured connections of IPv4 and IPv6 were going, inbound and outbound", {
  skip: skipWithoutNamespaces(),
  timeout: 60_000,
}, async (t: TestContext) => {
  await using cleanup = new AsyncDisposableStack();
  const lab = cleanup.use(await NetworkLab.open());
  const [client, server] = [await lab.host("client"), await lab.host("server")];
  await lab.addIpv6(client, "fd00:77::1");
  for (const { family, address } of PLACES) if (family === "IPv6") await lab.addIpv6(server, address);
  for (const host of [client, server]) await lab.capturePort(host, PORT);
  const [calling, serving] = [
    cleanup.use(new NamespaceShell(client)),
    cleanup.use(new NamespaceShell(server)),
  ];
  for (const { address } of PLACES) await serving.serve("tcp", address, address, PORT);
  const proxies = [await proxyIn(client, 15_001, cleanup), await proxyIn(server, 15_006, cleanup)];
  const connections = async (proxy: ProxyProgram): Promise<number> => {
    const { body } = await proxy.admin("/stats/prometheus");
    assert.match(body, /^envoy_server_concurrency 2$/m);
    const counts = [...body.matchAll(/^istio_tcp_connections_opened_total\{.*\} (\d+)$/gm)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  };
  for (const { address } of PLACES) {
    const replies = await Promise.all(
      Array.from({ length: MANY }, async () => await calling.tcp(address, PORT)),
    );
    assert.deepEqual([...new Set(replies.map(({ app, failure }) => app ?? failure))], [address]);
  }
  for (const proxy of proxies)
    await eventually("all went through it", async () => (await connections(proxy)) === MANY * PLACES.length);
  t.diagnostic(`${MANY} connections to each of ${PLACES.length} addresses`);
});
