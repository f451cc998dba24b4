import type { Duration } from "../../mesh/xds/gen/google/protobuf/duration.ts";

export function milliseconds({ seconds, nanos }: Duration): number {
  return seconds * 1000 + nanos / 1e6;
}
