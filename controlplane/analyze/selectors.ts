import type { FieldPath } from "../../mesh/model/finding.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { Finding } from "./finding.ts";
import { type MeshFacts, selectorText } from "./mesh-facts.ts";

type Labels = Readonly<Record<string, string>>;

/** Policies whose selector means no workload. Sidecars and Gateways have codes of their own for it. */
export function* selectors(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.objects) {
    const selector = selectorOf(subject);
    if (selector === undefined) continue;
    const { labels, path } = selector;
    const { namespace } = subject.metadata;
    const general = Object.keys(labels).length === 0;
    // Without a selector only an AuthorizationPolicy is told: who writes one means to protect something that is there.
    if (general && (subject.kind !== "AuthorizationPolicy" || namespace === mesh.settings.rootNamespace))
      continue;
    if (mesh.selected(labels, namespace).length > 0) continue;
    const message = general
      ? `namespace ${namespace} has no workload`
      : `no workload has the labels ${selectorText(labels)}`;
    yield { code: "IST0127", subject, path: general ? [] : path, message };
  }
}

function selectorOf(object: StoredObject): { readonly labels: Labels; readonly path: FieldPath } | undefined {
  switch (object.kind) {
    case "AuthorizationPolicy":
    case "PeerAuthentication":
    case "RequestAuthentication":
    case "Telemetry":
    case "ProxyConfig": {
      const { spec } = object as StoredObject<
        "AuthorizationPolicy" | "PeerAuthentication" | "RequestAuthentication" | "ProxyConfig" | "Telemetry"
      >;
      return { labels: spec.selector, path: ["spec", "selector"] };
    }
    case "EnvoyFilter":
    case "DestinationRule": {
      const { spec } = object as StoredObject<"EnvoyFilter" | "DestinationRule">;
      return { labels: spec.workloadSelector, path: ["spec", "workloadSelector"] };
    }
    default:
      return undefined;
  }
}
