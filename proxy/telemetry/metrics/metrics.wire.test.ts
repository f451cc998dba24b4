import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { Client, credentials } from "@grpc/grpc-js";
import { eventually } from "../../../test/harness/eventually.ts";
import { CLIENT_ID, call, ProxyPair, SERVER_ID } from "../../../test/harness/proxy-pair.ts";
import { parseScraped, type Scraped, samplesOf, sumOf } from "../../../test/harness/scraped.ts";
import { listenTcp, startTcpPair } from "../../../test/harness/tcp-pair.ts";
import type { TestProxy } from "../../../test/harness/test-proxy.ts";

/** conventions §4.2. */
const PARTIES = [
  "reporter",
  "source_workload",
  "source_workload_namespace",
  "source_canonical_service",
  "source_canonical_revision",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "destination_workload",
  "destination_workload_namespace",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_service",
  "destination_service_name",
  "destination_service_namespace",
  "destination_cluster",
];
const OF_TCP = [...PARTIES, "request_protocol", "response_flags", "connection_security_policy"];
const OF_REQUESTS = [...OF_TCP, "response_code", "grpc_response_status"];

const HISTOGRAMS = ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"];

async function scrape(proxy: TestProxy): Promise<readonly Scraped[]> {
  return parseScraped((await proxy.admin("/stats/prometheus")).body);
}

/** What Kiali passes over in silence (conventions §4.2, "Rules found in Kiali code"). */
function skippedByKiali(labels: Readonly<Record<string, string>>): string | undefined {
  const wanted = [
    "source_workload",
    "source_workload_namespace",
    "source_canonical_service",
    "source_canonical_revision",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "destination_workload",
    "destination_workload_namespace",
    "destination_canonical_service",
    "destination_canonical_revision",
    "response_flags",
  ];
  const missing = wanted.find((label) => labels[label] === undefined);
  if (missing !== undefined) return `lacks ${missing}`;
  for (const end of ["source", "destination"]) {
    const { [`${end}_cluster`]: cluster, [`${end}_workload_namespace`]: namespace } = labels;
    if (cluster === "unknown" && namespace !== "unknown") return `${end}_cluster is not known`;
  }
  const { destination_service: host, destination_service_name: name } = labels;
  const namespace = labels["destination_service_namespace"] ?? "";
  return host?.startsWith(`${name}.${namespace}.`) === true
    ? undefined
    : `${host} is not ${name}.${namespace}.*`;
}

test("series of both ends have all labels, and name both workloads", async () => {
  await using pair = await ProxyPair.start();
  assert.equal((await pair.call("/", { method: "POST", body: "x".repeat(30) })).status, 200);
  await pair.call("/again");
  for (const [proxy, reporter] of [
    [pair.client, "source"],
    [pair.server, "destination"],
  ] as const) {
    const all = await scrape(proxy);
    const requests = samplesOf(all, "istio_requests_total");
    assert.equal(sumOf(requests), 2);
    for (const { labels } of requests) {
      assert.deepEqual(Object.keys(labels).sort(), [...OF_REQUESTS].sort());
      assert.equal(skippedByKiali(labels), undefined);
    }
    assert.equal(requests.length, 1, "the second request is of the same kind");
    const [{ labels } = { labels: {} }] = requests;
    const want = {
      reporter,
      source_workload: "client-1",
      source_workload_namespace: "default",
      source_canonical_service: "client-1",
      source_canonical_revision: "v1",
      source_principal: CLIENT_ID,
      source_app: "client-1",
      source_version: "v1",
      source_cluster: "dc1",
      destination_principal: SERVER_ID,
      request_protocol: "http",
      response_code: "200",
      response_flags: "-",
      grpc_response_status: "",
      connection_security_policy: reporter === "source" ? "unknown" : "mutual_tls",
    };
    assert.deepEqual({ ...labels, ...want }, labels);
    for (const name of HISTOGRAMS) {
      assert.equal(sumOf(samplesOf(all, `${name}_count`)), 2, name);
      const buckets = samplesOf(all, `${name}_bucket`).map(({ labels: one }) => one["le"]);
      assert.deepEqual(
        buckets,
        "0.5 1 5 10 25 50 100 250 500 1000 2500 5000 10000 30000 60000 300000 600000 1800000 3600000 +Inf".split(
          " ",
        ),
      );
    }
    assert.equal(sumOf(samplesOf(all, "istio_request_bytes_sum")), 30);
    assert.equal(sumOf(samplesOf(all, "istio_response_bytes_sum")), 30);
    for (const name of [
      "istio_build",
      "envoy_server_uptime",
      "envoy_server_memory_allocated",
      "envoy_server_memory_heap_size",
      "envoy_cluster_upstream_cx_active",
      "envoy_cluster_upstream_rq_total",
      "envoy_listener_downstream_cx_active",
      "envoy_listener_http_downstream_rq",
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "process_open_fds",
    ])
      assert.ok(samplesOf(all, name).length > 0, name);
  }
});

test("the application hears nothing of what proxies tell each other, and nobody can speak for a proxy", async () => {
  await using pair = await ProxyPair.start();
  const forged = Buffer.from("\n\x11\n\tNAMESPACE\x12\x04\x1a\x02xx").toString("base64");
  await pair.call("/", { headers: { "x-envoy-peer-metadata": forged } });
  assert.deepEqual(
    Object.keys(pair.app.seen[0]?.headers ?? {}).filter((name) => name.includes("peer-metadata")),
    [],
  );
  const [{ labels } = { labels: {} }] = samplesOf(await scrape(pair.server), "istio_requests_total");
  assert.equal((labels as Record<string, string>)["source_workload"], "client-1");
});

test("a caller without the mesh is nobody, and is counted at the destination", async () => {
  await using pair = await ProxyPair.start({ mode: "PERMISSIVE" });
  await call(pair.inboundPort, "/");
  const [{ labels } = { labels: {} }] = samplesOf(await scrape(pair.server), "istio_requests_total");
  const want = {
    source_workload: "unknown",
    source_principal: "unknown",
    connection_security_policy: "none",
  };
  assert.deepEqual({ ...labels, ...want }, labels);
  assert.equal(skippedByKiali(labels), undefined);
});

test("gRPC has its status, and its messages are counted on both ends", async () => {
  await using pair = await ProxyPair.start();
  // The application answers HTTP/1.1: what the caller sees is a gRPC failure that the proxy has made of it.
  const client = new Client(`127.0.0.1:${pair.port}`, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  await new Promise<void>((resolve) =>
    client.makeUnaryRequest("/a.B/C", same, same, Buffer.from("hello"), () => resolve()),
  );
  client.close();
  await eventually("it is counted", async () => {
    const [sample] = samplesOf(await scrape(pair.client), "istio_request_messages_total");
    return (
      sample?.value === 1 && !("response_code" in sample.labels) && !("request_protocol" in sample.labels)
    );
  });
  const [request] = samplesOf(await scrape(pair.client), "istio_requests_total");
  assert.equal(request?.labels["request_protocol"], "grpc");
});

test("TCP connections are counted with their labels, also while they are open", async () => {
  const app = createServer((socket) => socket.on("error", () => {}).resume());
  await using mesh = await startTcpPair(await listenTcp(app));
  const socket = connect({ port: mesh.port, host: "127.0.0.1" });
  socket.write("hello");
  const check = async (name: string, want: number): Promise<void> => {
    for (const [proxy, reporter] of [
      [mesh.client, "source"],
      [mesh.server, "destination"],
    ] as const) {
      await eventually(`${name} of the ${reporter} is ${want}`, async () => {
        const samples = samplesOf(await scrape(proxy), name, { reporter });
        for (const { labels } of samples) assert.deepEqual(Object.keys(labels).sort(), [...OF_TCP].sort());
        return sumOf(samples) === want;
      });
    }
  };
  await check("istio_tcp_connections_opened_total", 1);
  await check("istio_tcp_received_bytes_total", 5);
  await check("istio_tcp_connections_closed_total", 0);
  socket.end();
  await check("istio_tcp_connections_closed_total", 1);
  await check("istio_tcp_received_bytes_total", 5);
  app.close();
});
