import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { Workload } from "../../mesh/model/workload.ts";
import { PLAIN_SIDECAR } from "../../test/fakes/sample-mesh.ts";
import { requireTool, skipWithout } from "../../test/harness/tools.ts";
import { builtinBootstrap } from "./builtin-bootstrap.ts";
import { dataPlaneNode, workloadNodeId } from "./data-plane-node.ts";
import { envoyBootstrap } from "./envoy-bootstrap.ts";

const run = promisify(execFile);

const workload: Workload = {
  name: "reviews-v1",
  namespace: "default",
  service: "reviews",
  serviceAccount: "bookinfo-reviews",
  labels: { app: "reviews", version: "v1" },
  ports: [
    {
      name: "http-9080",
      protocol: "http",
      servicePort: 9080,
      inbound: { address: "10.0.0.3", port: 9080 },
      app: { address: "127.0.0.1", port: 9080 },
    },
  ],
  upstreams: [],
  healthy: true,
  weight: 1,
  locality: "",
  ...PLAIN_SIDECAR,
  dataPlane: "envoy",
  catalog: undefined,
  group: undefined,
};

const node = dataPlaneNode(
  workload,
  { trustDomain: "mesh.example", domainSuffix: "cluster.local" },
  {
    xdsSocket: "/run/lateen/xds.sock",
    adminSocket: "/run/lateen/default.reviews-v1/admin.sock",
  },
);

test("the node of a workload has Istio's id", () => {
  assert.equal(node.id, "sidecar~10.0.0.3~reviews-v1.default~default.svc.cluster.local");
  assert.equal(node.cluster, "reviews.default");
});

test("a workload that only calls has a node id with the unspecified address", () => {
  assert.equal(
    workloadNodeId({ ...workload, ports: [] }, "cluster.local"),
    "sidecar~0.0.0.0~reviews-v1.default~default.svc.cluster.local",
  );
});

test("Envoy's bootstrap", (t) => {
  t.assert.fileSnapshot(envoyBootstrap(node), "agent/bootstrap/golden/envoy.json");
});

test("the built-in proxy's bootstrap", (t) => {
  t.assert.fileSnapshot(
    builtinBootstrap(node, "info", ["lateen", "proxy"]),
    "agent/bootstrap/golden/builtin.json",
  );
});

test("Envoy accepts its bootstrap", { skip: skipWithout("envoy") }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-bootstrap-"));
  try {
    const file = join(folder, "bootstrap.json");
    await writeFile(file, JSON.stringify(envoyBootstrap(node)));
    const { stdout, stderr } = await run(requireTool("envoy"), [
      "--mode",
      "validate",
      "-c",
      file,
      "-l",
      "warning",
    ]);
    assert.match(stdout, /configuration .* OK/);
    assert.doesNotMatch(stderr, /deprecated/i);
  } finally {
    await rm(folder, { recursive: true });
  }
});
