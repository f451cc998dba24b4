import type { StoredObject } from "../../../mesh/model/object.ts";
import type { Service } from "../../../mesh/model/service.ts";
import { visibility } from "../../policy/export-to.ts";
import { patternsCovering } from "../../snapshot/host-names.ts";
import type { Finding } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";
import { destinationsOf, type PlacedDestination } from "./destinations-of.ts";

/** Destinations that do not exist, that are ambiguous, or that the VirtualService's namespace may not see. */
export function* virtualServiceDestinations(mesh: MeshFacts): Iterable<Finding> {
  const subsets = new SubsetIndex(mesh);
  for (const subject of mesh.list("VirtualService")) {
    for (const placed of destinationsOf(subject)) yield* checkDestination(mesh, subsets, subject, placed);
  }
}

function* checkDestination(
  mesh: MeshFacts,
  subsets: SubsetIndex,
  subject: StoredObject<"VirtualService">,
  placed: PlacedDestination,
): Iterable<Finding> {
  const { destination, mirror, path } = placed;
  const { namespace } = subject.metadata;
  const service = mesh.findService(destination.host, namespace);
  if (service === undefined) {
    const message = `the ${mirror ? "mirror host" : "host"} ${destination.host} is no service of the mesh`;
    yield { code: "IST0101", subject, path: [...path, "host"], message };
    return;
  }
  if (visibility(service.exportTo, service.namespace, namespace) === undefined) {
    const message = `${destination.host} is not exported to namespace ${namespace}, so the route has no cluster`;
    yield { code: "LAT0008", subject, path: [...path, "host"], message };
    return;
  }
  yield* checkPort(subject, placed, service);
  if (destination.subset !== "" && !subsets.has(service.hostname, destination.subset)) {
    const message = `no DestinationRule of ${destination.host} has a subset ${destination.subset}`;
    yield { code: "IST0101", subject, path: [...path, "subset"], message };
  }
}

function* checkPort(
  subject: StoredObject<"VirtualService">,
  { destination: { host, port }, path }: PlacedDestination,
  { ports }: Service,
): Iterable<Finding> {
  const numbers = ports.map(({ number }) => number);
  if (port === undefined) {
    if (numbers.length <= 1) return;
    const message = `${host} has the ports ${numbers.join(", ")}: the destination must say which`;
    yield { code: "IST0112", subject, path: [...path, "host"], message };
  } else if (!numbers.includes(port)) {
    const had = numbers.length === 0 ? "it has none" : `it has ${numbers.join(", ")}`;
    yield {
      code: "IST0101",
      subject,
      path: [...path, "port", "number"],
      message: `${host} has no port ${port}: ${had}`,
    };
  }
}

/** The subsets that DestinationRules define for a host, also with a wildcard. */
class SubsetIndex {
  readonly #byHost = new Map<string, Set<string>>();

  constructor(mesh: MeshFacts) {
    for (const { spec, metadata } of mesh.list("DestinationRule")) {
      const host = mesh.resolve(spec.host, metadata.namespace);
      const known = this.#byHost.get(host) ?? new Set();
      this.#byHost.set(host, known);
      for (const { name } of spec.subsets) known.add(name);
    }
  }

  has(hostname: string, subset: string): boolean {
    return patternsCovering(hostname).some((pattern) => this.#byHost.get(pattern)?.has(subset) === true);
  }
}
