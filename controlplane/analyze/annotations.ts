import type { StoredObject } from "../../mesh/model/object.ts";
import { didYouMean } from "../../mesh/spelling/closest.ts";
import type { Code } from "./codes.ts";
import type { Finding } from "./finding.ts";
import { ISTIO_ANNOTATIONS } from "./istio-annotations.ts";
import type { MeshFacts } from "./mesh-facts.ts";

/** Annotations of Istio that mean nothing where they are. */
export function* annotations(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.objects) {
    for (const [name, value] of Object.entries(subject.metadata.annotations)) {
      if (!isIstios(name)) continue;
      const path = ["metadata", "annotations", name];
      for (const [code, message] of checkAnnotation(subject, name, value))
        yield { code, subject, path, message };
    }
  }
}

function* checkAnnotation(
  { kind }: StoredObject,
  name: string,
  value: string,
): Iterable<readonly [Code, string]> {
  const facts = ISTIO_ANNOTATIONS.get(name);
  if (facts === undefined) {
    yield [
      "IST0108",
      `${name} is no annotation of Istio's${didYouMean(name, [...ISTIO_ANNOTATIONS.keys()])}`,
    ];
    return;
  }
  if (facts.status === "deprecated") yield ["IST0135", `${name} is deprecated`];
  if (facts.status === "alpha") yield ["IST0136", `${name} is an alpha feature of Istio's`];
  if (!facts.kinds.includes("Any") && !facts.kinds.includes(kind)) {
    yield ["IST0107", `${name} belongs on ${facts.kinds.join(", ")}, not on ${kind}`];
  } else if (facts.values !== undefined && !facts.values.pattern.test(value)) {
    yield ["IST0125", `${name} ${facts.values.rule}, not ${JSON.stringify(value)}`];
  }
}

/** Annotations of Istio's own domains. */
function isIstios(name: string): boolean {
  const [domain = "", key] = name.split("/");
  return key !== undefined && (domain === "istio.io" || domain.endsWith(".istio.io"));
}
