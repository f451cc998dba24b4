import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../../mesh/xds/json.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { client, inScope } from "../../../test/fakes/in-scope.ts";
import { bookinfoWorkloads, sampleState } from "../../../test/fakes/sample-mesh.ts";
import type { Client } from "../../policy/client.ts";
import { assignmentsOf, sniDnatAssignmentsOf } from "../endpoints/service-assignments.ts";
import { clustersOf, sniDnatClustersOf } from "./service-clusters.ts";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
const folder = join(import.meta.dirname, "golden");

const REVIEWS = "reviews.default.svc.cluster.local";
const captured = { captured: true } as const;
const gateway = { role: "gateway", namespace: "edge" } as const;

interface Case {
  readonly name: string;
  /** Whose YAML is taken, when it is not that of the name. */
  readonly file?: string;
  readonly from?: Partial<Client>;
  readonly hosts?: readonly string[];
  readonly sniDnat?: true;
}

const cases: readonly Case[] = [
  { name: "load-balancers" },
  { name: "passthrough", from: captured },
  { name: "connection-pools" },
  { name: "mesh-defaults" },
  { name: "outlier-detection" },
  { name: "tls-files", hosts: ["api.example.com"] },
  { name: "tls-files-by-host", file: "tls-files", from: captured, hosts: ["api.example.com"] },
  { name: "tls-of-many-names", hosts: ["*.pages.example.com"] },
  { name: "tls-credentials", hosts: ["api.example.com"], from: gateway },
  {
    name: "tls-credentials-of-a-sidecar",
    file: "tls-credentials",
    hosts: ["api.example.com"],
    from: captured,
  },
  { name: "istio-mutual" },
  { name: "proxy-protocol" },
  { name: "resolutions", from: captured, hosts: resolutions() },
  { name: "resolutions-uncaptured", file: "resolutions", hosts: ["none.example.com"] },
  { name: "dynamic-dns-tls", from: captured, hosts: ["*.example.com", "*.example.org"] },
  {
    name: "localities",
    from: { captured: true, locality: "eu/a/1" },
    hosts: ["shared.example", "failing.example", "labelled.example", "zones.example"],
  },
  { name: "port-level", hosts: ["shop.example"], from: captured },
  { name: "networks", hosts: ["far.example"] },
  { name: "sni-dnat", file: "load-balancers", from: gateway, hosts: [REVIEWS], sniDnat: true },
];

for (const { name, file = name, from = {}, hosts = [REVIEWS], sniDnat } of cases) {
  test(`clusters and endpoints: ${name}`, (t) => {
    const yaml = readFileSync(join(folder, `${file}.yaml`), "utf8");
    const { snapshot } = sampleState({ yaml, workloads: bookinfoWorkloads() }).next();
    const { value, warnings } = inScope(snapshot, (scope) => {
      const [clusters, assignments] = sniDnat
        ? [sniDnatClustersOf, sniDnatAssignmentsOf]
        : [clustersOf, assignmentsOf];
      const printed = (type: "cluster" | "endpoints", of: typeof clusters): JsonValue[] =>
        hosts
          .flatMap((host) => of(scope, client(from), host))
          .map(({ bytes }) => json.resourceToJson(TYPE_URL[type], bytes));
      return { cluster: printed("cluster", clusters), endpoints: printed("endpoints", assignments) };
    });
    t.assert.fileSnapshot(
      { warnings: warnings.map(({ subject, message }) => `${subject}: ${message}`), ...value },
      join(folder, `${name}.json`),
    );
  });
}

function resolutions(): readonly string[] {
  return [
    "strict.example.com",
    "logical.example.com",
    "none.example.com",
    "*.dynamic.example.com",
    "*.static.example.com",
    "unix.example.com",
  ];
}
