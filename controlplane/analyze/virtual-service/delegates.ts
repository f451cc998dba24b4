import type { Finding } from "../finding.ts";
import type { MeshFacts } from "../mesh-facts.ts";

/** Delegates that do not exist. */
export function* virtualServiceDelegates(mesh: MeshFacts): Iterable<Finding> {
  const names = new Set(
    mesh.list("VirtualService").map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
  );
  for (const subject of mesh.list("VirtualService")) {
    for (const [rule, { delegate }] of subject.spec.http.entries()) {
      if (delegate === undefined) continue;
      const key = `${delegate.namespace || subject.metadata.namespace}/${delegate.name}`;
      if (names.has(key)) continue;
      const path = ["spec", "http", rule, "delegate"];
      yield { code: "IST0101", subject, path, message: `there is no VirtualService ${key} to delegate to` };
    }
  }
}
