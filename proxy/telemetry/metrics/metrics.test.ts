import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { parseScraped, samplesOf, sumOf } from "../../../test/harness/scraped.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { describeWorkload } from "../parties/party.ts";
import { countMessages, type Ends, type HttpRecord, newUpstreamEnd, type TcpRecord } from "../records.ts";
import { MOST_SERIES } from "./bounded-series.ts";
import { createMetrics, type ProxyMetrics } from "./metrics.ts";

const LOGS = { calls: false, writers: [], release: () => {} };

function metrics(warn: (message: string) => void = () => {}): ProxyMetrics {
  return createMetrics({
    node: { id: "sidecar~127.0.0.1~a.default~default.svc.cluster.local", metadata: {} },
    logger: { ...silentLogger, warn },
    gauges: () => ({ clusters: [], listeners: [], uptimeSeconds: 0, version: "0" }),
    more: () => [],
  });
}

/** Of a peer that tells of itself what it likes. */
function endsOf(workload: string): Ends {
  return {
    direction: "inbound",
    listener: "in",
    localAddress: "127.0.0.1:80",
    remoteAddress: "127.0.0.2:4000",
    serverName: "",
    clientId: `spiffe://cluster.local/ns/default/sa/${workload}`,
    ownId: undefined,
    secure: true,
    caller: describeWorkload({ workload, namespace: "default", cluster: undefined }, () => undefined),
    introduced: true,
  };
}

function requestOf(ends: Ends, over: Partial<HttpRecord> = {}): HttpRecord {
  const headers = new HeaderList();
  return {
    kind: "http",
    ends,
    startedAt: 0,
    startedMonotonic: 0,
    method: "GET",
    path: "/",
    upstream: newUpstreamEnd(),
    flags: new Set(),
    target: "/",
    calledAuthority: "a",
    route: "",
    authority: "a",
    requestId: "",
    requestHeaders: headers,
    responseHeaders: headers,
    trailers: undefined,
    metadata: undefined,
    span: undefined,
    messages: undefined,
    issuer: "",
    status: 200,
    details: "",
    grpcStatus: undefined,
    protocol: "HTTP/1.1",
    bytesReceived: 0,
    bytesSent: 0,
    upstreamMs: undefined,
    requestMs: 0,
    responseMs: undefined,
    attempts: 1,
    ...over,
  };
}

function connectionOf(ends: Ends): TcpRecord {
  return {
    kind: "tcp",
    ends,
    startedAt: 0,
    startedMonotonic: 0,
    upstream: newUpstreamEnd(),
    flags: new Set(),
    bytesReceived: 1,
    bytesSent: 1,
  };
}

const BEYOND = 100;

test("series have a bound: what is beyond it is counted in one, which is told", () => {
  const warned: string[] = [];
  const counted = metrics((message) => warned.push(message));
  const { observer } = counted;
  for (let index = 0; index < MOST_SERIES + BEYOND; index++) {
    const ends = endsOf(`made-up-${index}`);
    observer.httpDone(requestOf(ends, { messages: countMessages() }), 1, LOGS);
    observer.tcpDone(connectionOf(ends), 1, LOGS);
  }
  // Those that are known are counted as before.
  observer.httpDone(requestOf(endsOf("made-up-0"), { messages: countMessages() }), 1, LOGS);
  const all = parseScraped(counted.render());
  for (const [name, total] of [
    ["istio_requests_total", MOST_SERIES + BEYOND + 1],
    ["istio_request_duration_milliseconds_count", MOST_SERIES + BEYOND + 1],
    ["istio_tcp_connections_opened_total", MOST_SERIES + BEYOND],
  ] as const) {
    const samples = samplesOf(all, name);
    assert.deepEqual([samples.length, sumOf(samples)], [MOST_SERIES + 1, total], name);
    const [overflow, ...more] = samplesOf(all, name, { reporter: "overflow" });
    assert.deepEqual([overflow?.value, more.length], [BEYOND, 0], name);
    const [known] = samples;
    assert.deepEqual(Object.keys(overflow?.labels ?? {}).sort(), Object.keys(known?.labels ?? {}).sort());
  }
  assert.equal(samplesOf(all, "istio_request_messages_total", { reporter: "overflow" }).length, 1);
  for (const protocol of ["http", "tcp"])
    assert.equal(sumOf(samplesOf(all, "lateen_metrics_folded_total", { protocol })), BEYOND);
  assert.equal(warned.length, 2, "once for each protocol");
});

test("what a cluster says of its service holds from its next version on", () => {
  const counted = metrics();
  const { observer } = counted;
  const ends: Ends = { ...endsOf("a"), direction: "outbound" };
  for (const name of ["one", "two"]) {
    const service = { host: `${name}.default.svc.cluster.local`, name, namespace: "default" };
    const upstream = { ...newUpstreamEnd(), cluster: "c", service };
    observer.httpDone(requestOf(ends, { upstream }), 1, LOGS);
    observer.tcpDone({ ...connectionOf(ends), upstream }, 1, LOGS);
  }
  const all = parseScraped(counted.render());
  for (const name of ["istio_requests_total", "istio_tcp_connections_opened_total"])
    assert.deepEqual(
      samplesOf(all, name).map(({ labels }) => labels["destination_service_name"]),
      ["one", "two"],
    );
});

test("statuses of gRPC that servers make up are one", () => {
  const counted = metrics();
  const { observer } = counted;
  const ends = endsOf("a");
  for (const grpcStatus of [0, 16, 17, 99, -1, undefined])
    observer.httpDone(requestOf(ends, { grpcStatus, messages: countMessages() }), 1, LOGS);
  const told = samplesOf(parseScraped(counted.render()), "istio_requests_total").map(({ labels, value }) => [
    labels["grpc_response_status"],
    value,
  ]);
  assert.deepEqual(told, [
    ["0", 1],
    ["16", 1],
    ["-1", 3],
    ["", 1],
  ]);
});
