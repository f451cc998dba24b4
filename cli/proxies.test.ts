import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProxyReply, ProxyResourceReply, ProxyTypeStatus } from "../mesh/admin-api/replies.ts";
import { FAKE_NOW } from "../test/fakes/admin-deps.ts";
import { startCli } from "../test/harness/run-cli.ts";

const at = new Date(FAKE_NOW).toISOString();
const synced: ProxyTypeStatus = {
  state: "SYNCED",
  resources: 3,
  sentAt: at,
  ackedAt: at,
  rejection: null,
  causes: [],
};
const ignored: ProxyTypeStatus = {
  state: "IGNORED",
  resources: 0,
  sentAt: null,
  ackedAt: null,
  rejection: null,
  causes: [],
};

function proxy(workload: string, types: Partial<ProxyReply["types"]> = {}): ProxyReply {
  return {
    workload,
    nodeId: `sidecar~10.0.0.3~${workload}`,
    agent: "host-1",
    dataPlane: "envoy",
    version: "1.40.0",
    connectedAt: at,
    types: {
      listener: synced,
      route: synced,
      cluster: synced,
      endpoint: synced,
      secret: ignored,
      extension: ignored,
      "virtual-host": ignored,
      "host-name": ignored,
      ...types,
    },
  };
}

test("proxy-status lines up each type's state, and tells why a proxy refused", async (t) => {
  const cli = await startCli(t);
  const rejected: ProxyTypeStatus = {
    ...synced,
    state: "REJECTED",
    rejection: "unknown filter x",
    causes: ["EnvoyFilter/default/slow"],
  };
  cli.server.proxies.push(
    proxy("default/reviews-v1", { listener: rejected }),
    proxy("default/details", { route: ignored }),
  );
  const table = `NAME                 CDS           LDS             EDS           RDS           DATA PLANE     AGENT
details.default      SYNCED (3m)   SYNCED (3m)     SYNCED (3m)   IGNORED       envoy 1.40.0   host-1
reviews-v1.default   SYNCED (3m)   REJECTED (3m)   SYNCED (3m)   SYNCED (3m)   envoy 1.40.0   host-1
reviews-v1.default rejected its new listener (from EnvoyFilter default/slow): unknown filter x
`;
  assert.deepEqual(await cli.run(["proxy-status"]), { code: 0, stdout: table, stderr: "" });
  assert.deepEqual(await cli.run(["ps"]), { code: 0, stdout: table, stderr: "" });
  assert.equal((await cli.run(["ps", "details", "-o", "name"])).stdout, "details.default\n");
  assert.equal((await cli.run(["ps", "nobody"])).code, 1);
});

test("proxy-status tells a refusal of what has no column of its own too", async (t) => {
  const cli = await startCli(t);
  const rejected: ProxyTypeStatus = { ...synced, state: "REJECTED", rejection: "no script" };
  cli.server.proxies.push(proxy("default/details", { extension: rejected }));
  const { stdout } = await cli.run(["proxy-status"]);
  assert.match(stdout, /\ndetails\.default rejected its new extension: no script\n$/);
});

test("colours come only where they are taken, and do not move the columns", async (t) => {
  const cli = await startCli(t);
  cli.server.proxies.push(proxy("default/details"));
  const plain = (await cli.run(["ps"])).stdout;
  const colored = (
    await cli.run(["ps"], { color: true, environment: { LATEEN_ADDR: `unix:${cli.directory}/admin.sock` } })
  ).stdout;
  assert.ok(colored.includes("\u{1b}[32mSYNCED (3m)\u{1b}[0m"));
  assert.equal(colored.replaceAll("\u{1b}[32m", "").replaceAll("\u{1b}[0m", ""), plain);
});

test("no proxy is said on stderr, so that a script's output stays empty", async (t) => {
  const cli = await startCli(t);
  assert.deepEqual(await cli.run(["ps"]), { code: 0, stdout: "", stderr: "No proxy is connected.\n" });
  assert.equal(JSON.parse((await cli.run(["ps", "-json"])).stdout).items.length, 0);
});

const resources: readonly ProxyResourceReply[] = [
  {
    type: "cluster",
    name: "outbound|9080|v1|reviews.default.svc.cluster.local",
    version: "1",
    resource: {
      type: "EDS",
      metadata: {
        filterMetadata: {
          istio: { config: "/apis/networking.istio.io/v1/namespaces/default/destination-rule/reviews" },
        },
      },
    },
  },
  { type: "cluster", name: "inbound|9080||", version: "1", resource: {} },
  { type: "cluster", name: "BlackHoleCluster", version: "1", resource: { type: "STATIC" } },
  {
    type: "listener",
    name: "10.0.0.3_9080",
    version: "1",
    resource: {
      address: { socketAddress: { address: "10.0.0.3", portValue: 9080 } },
      filterChains: [
        {
          filterChainMatch: { transportProtocol: "tls", applicationProtocols: ["h2", "http/1.1"] },
          filters: [
            {
              typedConfig: {
                "@type": "type.googleapis.com/envoy.x.HttpConnectionManager",
                routeConfig: { virtualHosts: [{ routes: [{ route: { cluster: "inbound|9080||" } }] }] },
              },
            },
          ],
        },
        {
          filters: [
            {
              typedConfig: {
                "@type": "t/envoy.x.TcpProxy",
                weightedClusters: { clusters: [{ name: "a" }, { name: "b" }] },
              },
            },
          ],
        },
      ],
    },
  },
  {
    type: "listener",
    name: "127.0.0.1_9082",
    version: "1",
    resource: {
      address: { socketAddress: { address: "127.0.0.1", portValue: 9082 } },
      filterChains: [
        {
          filters: [
            {
              typedConfig: {
                "@type": "t/envoy.x.HttpConnectionManager",
                rds: { routeConfigName: "reviews:9080" },
              },
            },
          ],
        },
      ],
    },
  },
  {
    type: "route",
    name: "reviews:9080",
    version: "1",
    resource: {
      virtualHosts: [
        {
          name: "reviews:9080",
          domains: ["*"],
          routes: [
            {
              match: {
                prefix: "/",
                headers: [{ name: "end-user", stringMatch: { exact: "jason" } }],
              },
              metadata: {
                filterMetadata: {
                  istio: {
                    config: "/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews",
                  },
                },
              },
              route: { cluster: "v2" },
            },
            {
              match: {
                path: "/exact",
                queryParameters: [{ name: "q", stringMatch: { safeRegex: { regex: "a+" } } }],
              },
              directResponse: { status: 503 },
            },
            {
              match: { prefix: "/" },
              route: {
                weightedClusters: {
                  clusters: [
                    { name: "v1", weight: 80 },
                    { name: "v3", weight: 20 },
                  ],
                },
              },
            },
          ],
        },
      ],
    },
  },
  {
    type: "endpoint",
    name: "outbound|9080||reviews.default.svc.cluster.local",
    version: "1",
    resource: {
      endpoints: [
        {
          locality: { region: "eu", zone: "a" },
          lbEndpoints: [
            {
              endpoint: { address: { socketAddress: { address: "10.0.0.3", portValue: 9080 } } },
              metadata: { filterMetadata: { "envoy.transport_socket_match": { tlsMode: "istio" } } },
              loadBalancingWeight: 2,
            },
            {
              endpoint: { address: { socketAddress: { address: "fd00::1", portValue: 80 } } },
              healthStatus: "UNHEALTHY",
            },
          ],
        },
      ],
    },
  },
];

const tables: readonly { type: string; want: string }[] = [
  {
    type: "cluster",
    want: `SERVICE FQDN                        PORT   SUBSET   DIRECTION   TYPE     DESTINATION RULE
BlackHoleCluster                    -      -        -           STATIC   -
-                                   9080   -        inbound     STATIC   -
reviews.default.svc.cluster.local   9080   v1       outbound    EDS      reviews.default
`,
  },
  {
    type: "listener",
    want: `ADDRESS     PORT   MATCH                          DESTINATION
10.0.0.3    9080   Trans: tls; App: h2,http/1.1   Cluster: inbound|9080||
10.0.0.3    9080   ALL                            Cluster: a, b
127.0.0.1   9082   ALL                            Route: reviews:9080
`,
  },
  {
    type: "route",
    want: `NAME           DOMAINS   MATCH               DESTINATION           VIRTUAL SERVICE
reviews:9080   *         /* end-user=jason   v2                    reviews.default
reviews:9080   *         /exact ?q=~a+       direct response 503   -
reviews:9080   *         /*                  v1 80, v3 20          -
`,
  },
  {
    type: "endpoint",
    want: `ENDPOINT        STATUS      TLS     CLUSTER
10.0.0.3:9080   HEALTHY     istio   outbound|9080||reviews.default.svc.cluster.local
[fd00::1]:80    UNHEALTHY   none    outbound|9080||reviews.default.svc.cluster.local
`,
  },
];

for (const { type, want } of tables) {
  test(`proxy-config ${type} prints istioctl's table`, async (t) => {
    const cli = await startCli(t);
    cli.server.resources.set("default/reviews-v1", resources);
    assert.deepEqual(await cli.run(["pc", type, "reviews-v1"]), { code: 0, stdout: want, stderr: "" });
  });
}

test("a workload is found by its name, name.namespace and namespace/name, even with dots in its name", async (t) => {
  const cli = await startCli(t);
  cli.server.resources.set("shop/web.1", resources);
  for (const argv of [["web.1", "-n", "shop"], ["web.1.shop"], ["shop/web.1"]]) {
    const { code, stdout } = await cli.run(["pc", "endpoints", ...argv, "-o", "json"]);
    assert.deepEqual([code, JSON.parse(stdout).items.length], [0, 1], argv.join(" "));
  }
  assert.deepEqual(await cli.run(["pc", "all", "none.shop"]), {
    code: 1,
    stdout: "",
    stderr:
      "error: workload default/none.shop does not exist\ntry: lateen get workloads -A lists what agents registered\n",
  });
});

test("proxy-config all prints one table for each type", async (t) => {
  const cli = await startCli(t);
  cli.server.resources.set("default/reviews-v1", resources);
  const { stdout } = await cli.run(["pc", "all", "reviews-v1"]);
  assert.equal(stdout.split("\n\n").length, 4);
});
