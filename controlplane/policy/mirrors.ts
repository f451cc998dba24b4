import type { HttpRoute, Mirror } from "../../mesh/model/virtual-service.ts";

/** A mirror and the field of the route that names its destination. */
export interface PlacedMirror extends Mirror {
  readonly path: readonly (string | number)[];
}

/** Where copies of a route's requests go: those of `mirror`, all where no share is said, and those of `mirrors`. */
export function mirrorsOf({
  mirror,
  mirrorPercent,
  mirrors,
}: Pick<HttpRoute, "mirror" | "mirrorPercent" | "mirrors">): readonly PlacedMirror[] {
  const several = mirrors.map((one, index) => ({ ...one, path: ["mirrors", index, "destination"] }));
  return mirror === undefined
    ? several
    : [{ destination: mirror, percent: mirrorPercent ?? 100, path: ["mirror"] }, ...several];
}
