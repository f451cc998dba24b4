import assert from "node:assert/strict";
import { test } from "node:test";
import { objects, sampleState } from "../../test/fakes/sample-mesh.ts";
import { object, service } from "../../test/harness/analysis.ts";
import { analyze } from "./analyze.ts";

test("what a translation warns about and what it fails at are messages about objects, workloads and services", () => {
  const yaml = [
    service("reviews"),
    object(
      "VirtualService",
      "quiet",
      "{ hosts: [a.example.com], http: [{ route: [{ destination: { host: reviews } }] }] }",
      "annotations: { galley.istio.io/analyze-suppress: LAT0013 }",
    ),
  ].join("---\n");
  const messages = analyze({
    objects: objects(yaml),
    snapshot: sampleState({ yaml }).next().snapshot,
    places: new Map(),
    now: 0,
    report: {
      warnings: [
        { subject: "Workload/default/reviews-1", message: "upstream x:1 leads nowhere" },
        { subject: "Service/reviews.default.svc.cluster.local", message: "endpoint e is left out" },
        { subject: "Service/gone.example.com", message: "endpoint f is left out" },
        { subject: "VirtualService/default/gone", message: "of the snapshot before" },
        { subject: "VirtualService/default/quiet", message: "not wanted" },
      ],
      failures: [
        {
          workload: "default/reviews-1",
          code: "xds.inconsistent",
          reason: "no cluster",
          hint: "do",
          snapshot: 3,
        },
      ],
    },
  });
  assert.deepEqual(
    messages.map(({ code, severity, origin, message }) => `${severity} ${code} ${origin}: ${message}`),
    [
      "Error LAT0014 Workload default/reviews-1: keeps its last good configuration: no cluster (do)",
      "Warning LAT0013 Service default/reviews.default.svc.cluster.local: endpoint e is left out",
      "Warning LAT0013 Workload default/reviews-1: upstream x:1 leads nowhere",
    ],
  );
});

test("a MeshConfig that names another trust domain than the server's authority is told so", () => {
  const yaml = object("MeshConfig", "mesh", "{ trustDomain: other.example }", "namespace: istio-system");
  const { snapshot } = sampleState({ yaml }).next();
  const messages = analyze({ objects: objects(yaml), snapshot, places: new Map(), now: 0 });
  assert.deepEqual(
    messages.map(({ code, origin, message }) => `${code} ${origin}: ${message}`),
    [
      "LAT0013 MeshConfig istio-system/mesh: the mesh's authority issues for the trust domain cluster.local, which stays: this one is not in force",
    ],
  );
});

test("what a stored object says and is not in force is told again, unless the object is of a file or does not want it", () => {
  const yaml = [
    object("WorkloadGroup", "told", "{ template: { address: 10.0.0.1 } }"),
    object(
      "WorkloadGroup",
      "quiet",
      "{ template: { address: 10.0.0.1 } }",
      'annotations: { galley.istio.io/analyze-suppress: "*" }',
    ),
    object("WorkloadGroup", "filed", "{ template: { address: 10.0.0.1 } }"),
  ].join("---\n");
  const stored = objects(yaml);
  const filed = stored.filter(({ metadata }) => metadata.name === "filed");
  const place = { file: "a.yaml", place: { lineOf: () => 1 } };
  const { snapshot } = sampleState({ yaml }).next();
  const places = new Map(filed.map((one) => [one, place]));
  assert.deepEqual(
    analyze({ objects: stored, snapshot, places, now: 0 }).map(
      ({ code, origin, message }) => `${code} ${origin}: ${message}`,
    ),
    [
      "IST0133 WorkloadGroup default/told: spec.template.address means nothing here: each workload has its own",
    ],
  );
});
