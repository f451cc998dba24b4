import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_MESH_CONFIG } from "../../mesh/model/mesh-config.ts";
import { type SampleParts, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { type SnapshotView, viewOf } from "../snapshot/snapshot-view.ts";
import { governingRoutes, layer4VirtualServices } from "./virtual-services.ts";

const HOST = "reviews.default.svc.cluster.local";

function view(parts: SampleParts): SnapshotView {
  return viewOf(sampleState(parts).next().snapshot);
}

/** A VirtualService. `match` is that of its only route; empty: every call. */
function service(name: string, namespace: string, spec: string, match = ""): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${spec}, http: [{ match: [${match}], route: [{ destination: { host: reviews } }] }] }
---`;
}

const precedence: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly from: string;
  readonly host?: string;
  readonly defaultExportTo?: readonly string[];
  readonly want: string | undefined;
}[] = [
  {
    name: "none is for the host",
    yaml: service("a", "default", "hosts: [other]"),
    from: "default",
    want: undefined,
  },
  {
    name: "a short host is of the object's own namespace",
    yaml: service("a", "prod", "hosts: [reviews]"),
    from: "default",
    want: undefined,
  },
  {
    name: "the oldest of two",
    yaml: service("z", "default", "hosts: [reviews]") + service("a", "default", "hosts: [reviews]"),
    from: "default",
    want: "z",
  },
  {
    name: "the most specific host before an older wildcard",
    yaml:
      service("wild", "default", 'hosts: ["*.default.svc.cluster.local"]') +
      service("exact", "default", "hosts: [reviews]"),
    from: "default",
    want: "exact",
  },
  {
    name: "a wildcard where nothing is more specific",
    yaml:
      service("all", "default", 'hosts: ["*.local"]') +
      service("wild", "default", 'hosts: ["*.default.svc.cluster.local"]'),
    from: "default",
    want: "wild",
  },
  {
    name: "private to the client's namespace before an older public one",
    yaml:
      service("public", "default", `hosts: [${HOST}]`) +
      service("mine", "shop", `hosts: [${HOST}], exportTo: ["."]`),
    from: "shop",
    want: "mine",
  },
  {
    name: "exported by name before an older public one",
    yaml:
      service("public", "default", `hosts: [${HOST}]`) +
      service("given", "default", `hosts: [${HOST}], exportTo: [shop]`),
    from: "shop",
    want: "given",
  },
  {
    name: "private to another namespace is not seen",
    yaml: service("theirs", "default", `hosts: [${HOST}], exportTo: ["."]`),
    from: "shop",
    want: undefined,
  },
  {
    name: "one for gateways only is not for sidecars",
    yaml: service("edge", "default", "hosts: [reviews], gateways: [edge]"),
    from: "default",
    want: undefined,
  },
  {
    name: "one for gateways and the mesh is",
    yaml: service("both", "default", "hosts: [reviews], gateways: [edge, mesh]"),
    from: "default",
    want: "both",
  },
  {
    name: "the next one where the oldest has no route for the client",
    yaml:
      service("other", "default", "hosts: [reviews]", "{ sourceLabels: { app: other } }") +
      service("next", "default", "hosts: [reviews]"),
    from: "default",
    want: "next",
  },
  {
    name: "no wildcard where the exact one has no route for the client",
    yaml:
      service("exact", "default", "hosts: [reviews]", "{ port: 1 }") +
      service("wild", "default", 'hosts: ["*.local"]'),
    from: "default",
    want: undefined,
  },
  {
    name: "a wildcard with a dash",
    yaml:
      service("dot", "default", 'hosts: ["*.svc.cluster.local"]') +
      service("dash", "default", `hosts: ["*-team.svc.cluster.local"]`),
    from: "default",
    host: "reviews.a-team.svc.cluster.local",
    want: "dash",
  },
  {
    name: "a host written as service and namespace",
    yaml: service("short", "shop", "hosts: [reviews.default]"),
    from: "default",
    want: "short",
  },
  {
    name: "a host written as Consul's name, of the own namespace where that has such a service",
    yaml: service("consul", "shop", "hosts: [ratings.service.consul]"),
    from: "default",
    host: "ratings.default.svc.cluster.local",
    want: undefined,
  },
  {
    name: "a host written as Consul's name, of default where the own namespace has no such service",
    yaml: service("consul", "shop", "hosts: [reviews.service.consul]"),
    from: "default",
    want: "consul",
  },
  {
    name: "a host written with Lateen's suffix",
    yaml: service("mesh", "shop", "hosts: [reviews.default.mesh]"),
    from: "default",
    want: "mesh",
  },
  {
    name: "the mesh's default export, where it says nothing",
    yaml: service("private", "default", `hosts: [${HOST}]`),
    from: "shop",
    defaultExportTo: ["."],
    want: undefined,
  },
  {
    name: "its own export before the mesh's default",
    yaml: service("public", "default", `hosts: [${HOST}], exportTo: ["*"]`),
    from: "shop",
    defaultExportTo: ["."],
    want: "public",
  },
];
const workloads = [
  workload("reviews"),
  workload("ratings"),
  workload("ratings", { name: "ratings-2", namespace: "shop" }),
];
for (const { name, yaml, from, host = HOST, defaultExportTo = [], want } of precedence) {
  test(`the VirtualService that governs a host: ${name}`, () => {
    const mesh = { ...DEFAULT_MESH_CONFIG, defaultVirtualServiceExportTo: defaultExportTo };
    const seen = view({ yaml, workloads, settings: { mesh } });
    const { governing } = governingRoutes(
      seen,
      { namespace: from, labels: {}, imports: undefined, prefers: [] },
      host,
      9080,
    );
    assert.equal(governing?.virtualService.metadata.name, want);
  });
}

test("all VirtualServices of a host count for TLS and TCP: the nearest first, then the oldest, wildcards among them", () => {
  const yaml =
    service("public-wild", "default", 'hosts: ["*.local"]') +
    service("public", "default", `hosts: [${HOST}]`) +
    service("unseen", "default", `hosts: [${HOST}], exportTo: ["."]`) +
    service("own", "shop", `hosts: [${HOST}], exportTo: ["."]`);
  const found = layer4VirtualServices(
    view({ yaml, workloads }),
    { namespace: "shop", labels: {}, imports: undefined, prefers: [] },
    HOST,
  );
  assert.deepEqual(
    found.map(({ metadata }) => metadata.name),
    ["own", "public-wild", "public"],
  );
});

test("for a service with a wildcard the VirtualServices of the hosts that it covers count for TLS and TCP too", () => {
  const yaml =
    service("covered", "shop", "hosts: [en.example.com]") +
    service("same", "shop", 'hosts: ["*.example.com"]') +
    service("other", "shop", "hosts: [en.example.org]") +
    service("edge", "shop", "hosts: [de.example.com], gateways: [edge]");
  const found = layer4VirtualServices(
    view({ yaml }),
    { namespace: "default", labels: {}, imports: undefined, prefers: [] },
    "*.example.com",
  );
  assert.deepEqual(
    found.map(({ metadata }) => metadata.name),
    ["covered", "same"],
  );
});
