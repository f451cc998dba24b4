import type { FieldPath } from "../../mesh/model/finding.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { isFields } from "../../mesh/model/plain-data.ts";
import type { Finding } from "./finding.ts";
import type { MeshFacts } from "./mesh-facts.ts";

interface Deprecation {
  /** Fields from `spec` on; `*`: every entry of a list. */
  readonly field: string;
  /** Only this value of the field. */
  readonly value?: string;
  readonly instead: string;
}

const POLICY: readonly Deprecation[] = [
  {
    field: "outlierDetection.consecutiveErrors",
    instead: "consecutive5xxErrors or consecutiveGatewayErrors",
  },
  { field: "loadBalancer.simple", value: "LEAST_CONN", instead: "LEAST_REQUEST" },
  { field: "loadBalancer.consistentHash.minimumRingSize", instead: "ringHash.minimumRingSize" },
  { field: "loadBalancer.warmupDurationSecs", instead: "warmup.duration" },
];

const AT_POLICIES = [
  "trafficPolicy",
  "trafficPolicy.portLevelSettings.*",
  "subsets.*.trafficPolicy",
  "subsets.*.trafficPolicy.portLevelSettings.*",
];

/** Fields that Istio's API marks as deprecated, and what it has in their place. */
const DEPRECATED: Partial<Readonly<Record<Kind, readonly Deprecation[]>>> = {
  VirtualService: [
    { field: "http.*.fault.delay.percent", instead: "percentage" },
    { field: "http.*.mirrorPercent", instead: "mirrorPercentage" },
    { field: "http.*.corsPolicy.allowOrigin", instead: "allowOrigins" },
  ],
  Sidecar: [
    { field: "outboundTrafficPolicy.egressProxy", instead: "a VirtualService to the egress gateway" },
  ],
  DestinationRule: AT_POLICIES.flatMap((at) =>
    POLICY.map(({ field, ...rest }) => ({ ...rest, field: `${at}.${field}` })),
  ),
};

/** Deprecated fields that an author has written. */
export function* deprecations(mesh: MeshFacts): Iterable<Finding> {
  for (const subject of mesh.objects) {
    for (const { field, value, instead } of DEPRECATED[subject.kind] ?? []) {
      for (const { path, found } of find(subject.written["spec"], field.split("."), ["spec"])) {
        if (value !== undefined && found !== value) continue;
        const what = value ?? String(path.at(-1));
        yield { code: "IST0002", subject, path, message: `${what} is deprecated: use ${instead}` };
      }
    }
  }
}

interface Found {
  readonly path: FieldPath;
  readonly found: unknown;
}

function* find(value: unknown, [field, ...rest]: readonly string[], path: FieldPath): Iterable<Found> {
  if (field === undefined) {
    if (value !== undefined) yield { path, found: value };
  } else if (field === "*") {
    if (!Array.isArray(value)) return;
    for (const [index, item] of value.entries()) yield* find(item, rest, [...path, index]);
  } else if (isFields(value)) {
    yield* find(value[field], rest, [...path, field]);
  }
}
