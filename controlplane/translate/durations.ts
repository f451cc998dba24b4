import type { Duration } from "../../mesh/xds/gen/google/protobuf/duration.ts";

export function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}
