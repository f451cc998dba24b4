import type { FieldPath } from "../../../mesh/model/finding.ts";
import type { StoredObject } from "../../../mesh/model/object.ts";
import type { Destination } from "../../../mesh/model/virtual-service.ts";
import { mirrorsOf } from "../../policy/mirrors.ts";

export interface PlacedDestination {
  readonly destination: Destination;
  readonly path: FieldPath;
  readonly mirror: boolean;
}

/** Every destination of a VirtualService, with the path at which its author wrote it. */
export function destinationsOf({ spec }: StoredObject<"VirtualService">): readonly PlacedDestination[] {
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
    mirrorsOf(route).map(({ destination, path }) => ({
      destination,
      path: ["spec", "http", rule, ...path],
      mirror: true,
    })),
  );
  return [...routes, ...mirrors];
}
