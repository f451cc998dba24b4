import { isFields } from "../../mesh/model/plain-data.ts";
import { type Finding, nameOf } from "./finding.ts";
import type { MeshFacts } from "./mesh-facts.ts";

/** Only one MeshConfig is in force: the oldest. What it says of the trust domain is the authority's to decide. */
export function* meshConfigs(mesh: MeshFacts): Iterable<Finding> {
  const [first, ...others] = mesh.list("MeshConfig");
  const { trustDomain } = mesh.settings;
  if (first !== undefined && (first.spec.trustDomain ?? trustDomain) !== trustDomain) {
    const message = `the mesh's authority issues for the trust domain ${trustDomain}, which stays: this one is not in force`;
    yield { code: "LAT0013", subject: first, path: ["spec", "trustDomain"], message };
  }
  for (const subject of others) {
    if (first === undefined) continue;
    const message = `MeshConfig ${nameOf(first)} comes first and is in force: this one does nothing`;
    yield { code: "LAT0009", subject, path: ["metadata", "name"], message };
  }
}

/** Catalogs that a network may name as the one its endpoints come from. */
const REGISTRIES: readonly string[] = ["agents", "consul", "embedded", "nomad"];

/** Networks whose endpoints would be those of a catalog that there is not. */
export function* meshNetworkRegistries(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.list("MeshConfig")) {
    for (const at of [["networks"], ["meshNetworks", "networks"]]) {
      const path = ["spec", ...at];
      for (const [network, endpoint, registry] of registriesOf(fieldAt(subject.written, path))) {
        if (REGISTRIES.includes(registry.toLowerCase())) continue;
        yield {
          code: "IST0126",
          subject,
          path: [...path, network, "endpoints", endpoint, "fromRegistry"],
          message: `network ${network} names the registry ${registry}: there are ${REGISTRIES.join(", ")}`,
        };
      }
    }
  }
}

function* registriesOf(networks: unknown): Iterable<readonly [string, number, string]> {
  if (!isFields(networks)) return;
  for (const network of Object.keys(networks)) {
    const endpoints = fieldAt(networks, [network, "endpoints"]);
    if (!Array.isArray(endpoints)) continue;
    for (const [index, endpoint] of endpoints.entries()) {
      const registry = fieldAt(endpoint, ["fromRegistry"]);
      if (typeof registry === "string") yield [network, index, registry];
    }
  }
}

function fieldAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, key) => (isFields(inside) ? inside[key] : undefined), value);
}
