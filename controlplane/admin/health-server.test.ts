import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { request } from "undici";
import { type HealthDeps, startHealthServer } from "./health-server.ts";
import { createServerMetrics, type MetricSources } from "./metrics.ts";

const sources: MetricSources = {
  version: "0.1.0",
  connections: () => 6,
  services: () => 4,
  workloads: () => 6,
  objects: () => ({ VirtualService: 2, DestinationRule: 1 }),
  registries: () => [
    { name: "consul", state: "stale", problems: [], since: null, reason: "down" },
    { name: "embedded", state: "current", problems: [], since: null, reason: null },
  ],
  rootExpiry: () => 2_000_000_000_000,
  auditLost: () => 0,
};

async function startServer(
  t: TestContext,
  deps: HealthDeps,
): Promise<(path: string) => Promise<[number, string]>> {
  const server = await startHealthServer(deps, { host: "127.0.0.1", port: 0 });
  t.after(() => server[Symbol.asyncDispose]());
  return async (path) => {
    const { statusCode, body } = await request(`http://127.0.0.1:${server.address.port}${path}`);
    return [statusCode, await body.text()];
  };
}

test("the server is live as soon as it answers, and ready when nothing is missing", async (t) => {
  const missing = ["consul has not answered yet"];
  const get = await startServer(t, { unready: () => missing, metrics: async () => "" });
  assert.deepEqual(await get("/healthz"), [200, "ok\n"]);
  assert.deepEqual(await get("/readyz"), [503, "not ready: consul has not answered yet\n"]);
  missing.pop();
  assert.deepEqual(await get("/readyz"), [200, "ok\n"]);
});

test("each metric is told under its own name and under Istio's, with the same value", async (t) => {
  const metrics = createServerMetrics(sources, { istioAliases: true, processMetrics: false });
  metrics.pushed("endpoint");
  metrics.pushed("endpoint");
  metrics.rejected("listener");
  metrics.converged(240);
  metrics.certificateRequested();
  metrics.certificateIssued();
  metrics.certificateRefused();
  metrics.joined("refused");
  const get = await startServer(t, { unready: () => [], metrics: () => metrics.text() });
  const [status, text] = await get("/metrics");
  assert.equal(status, 200);
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assert.deepEqual(
    samples.filter((line) => !line.includes("convergence")),
    [
      "lateen_xds_connections 6",
      "pilot_xds 6",
      "lateen_services 4",
      "pilot_services 4",
      "lateen_workloads 6",
      'lateen_objects{kind="VirtualService"} 2',
      'lateen_objects{kind="DestinationRule"} 1',
      "lateen_virtual_services 2",
      "pilot_virt_services 2",
      'lateen_registry_current{registry="consul"} 0',
      'lateen_registry_current{registry="embedded"} 1',
      "lateen_root_certificate_expiry_timestamp_seconds 2000000000",
      "citadel_server_root_cert_expiry_timestamp 2000000000",
      "lateen_audit_lost_records 0",
      'lateen_build{version="0.1.0"} 1',
      'lateen_xds_pushes_total{type="eds"} 2',
      'pilot_xds_pushes{type="eds"} 2',
      'lateen_xds_rejections_total{type="lds"} 1',
      'pilot_total_xds_rejects{type="lds"} 1',
      "lateen_certificate_requests_total 1",
      "citadel_server_csr_count 1",
      "lateen_certificates_issued_total 1",
      "citadel_server_success_cert_issuance_count 1",
      "lateen_certificates_refused_total 1",
      "citadel_server_authentication_failure_count 1",
      'lateen_joins_total{outcome="refused"} 1',
    ],
  );
  for (const name of ["lateen_proxy_convergence_seconds", "pilot_proxy_convergence_time"]) {
    assert.ok(samples.includes(`${name}_bucket{le="0.1"} 0`));
    assert.ok(samples.includes(`${name}_bucket{le="0.5"} 1`));
    assert.ok(samples.includes(`${name}_count 1`));
  }
});

test("without aliases only our own names are told", async () => {
  const metrics = createServerMetrics(sources, { istioAliases: false, processMetrics: false });
  assert.doesNotMatch(await metrics.text(), /pilot_|citadel_/);
});

test("a taken port is told with its number", async (t) => {
  const first = await startHealthServer(
    { unready: () => [], metrics: async () => "" },
    { host: "127.0.0.1", port: 0 },
  );
  t.after(() => first[Symbol.asyncDispose]());
  await assert.rejects(
    startHealthServer(
      { unready: () => [], metrics: async () => "" },
      { host: "127.0.0.1", port: first.address.port },
    ),
    { code: "config.invalid", message: new RegExp(`EADDRINUSE.*:${first.address.port}`) },
  );
});
