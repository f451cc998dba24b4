import type { FieldPath } from "../../../mesh/model/finding.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import { isFields } from "../../../mesh/model/plain-data.ts";
import type { Destination } from "../../../mesh/model/virtual-service.ts";

export interface PlacedDestination {
  readonly destination: Destination;
  readonly path: FieldPath;
  readonly mirror: boolean;
}

/** Every destination of a VirtualService, with the path at which its author wrote it. */
export function destinationsOf({
  spec,
  written,
}: StoredObject<"VirtualService">): readonly PlacedDestination[] {
  const routes = (["http", "tls", "tcp"] as const).flatMap((list) =>
    spec[list].flatMap(({ route }, rule) =>
      route.map(({ destination }, index) => ({
        destination,
        path: ["spec", list, rule, "route", index, "destination"],
        mirror: false,
      })),
    ),
  );
  const mirrors = spec.http.flatMap((route, rule) =>
    route.mirrors.map(({ destination }, index) => ({
      destination,
      path: hasMirror(written, rule)
        ? ["spec", "http", rule, "mirror"]
        : ["spec", "http", rule, "mirrors", index, "destination"],
      mirror: true,
    })),
  );
  return [...routes, ...mirrors];
}

/** Istio has `mirror` and `mirrors`; the model has one list for both. */
function hasMirror(written: unknown, rule: number): boolean {
  const spec = isFields(written) ? written["spec"] : undefined;
  const http = isFields(spec) ? spec["http"] : undefined;
  const route: unknown = Array.isArray(http) ? http[rule] : undefined;
  return isFields(route) && route["mirror"] !== undefined;
}
