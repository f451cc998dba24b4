import type { CapturedAt } from "../../mesh/model/workload.ts";
import { VIRTUAL_INBOUND, VIRTUAL_OUTBOUND } from "../../mesh/xds/names.ts";

type CapturePorts = Pick<CapturedAt, "outbound" | "inbound">;

const FURTHER = { first: 15_300, pairs: 50 } as const;

/**
 * Ports for the proxies of captured workloads, a pair for each: the first has Istio's, so that rules which know nothing of
 * Lateen lead to it.
 */
export const CAPTURE_PORTS: readonly CapturePorts[] = [
  { outbound: VIRTUAL_OUTBOUND.port, inbound: VIRTUAL_INBOUND.port },
  ...Array.from({ length: FURTHER.pairs }, (_, index) => ({
    outbound: FURTHER.first + 2 * index,
    inbound: FURTHER.first + 2 * index + 1,
  })),
];

const ALL: ReadonlySet<number> = new Set(
  CAPTURE_PORTS.flatMap(({ outbound, inbound }) => [outbound, inbound]),
);

export function isCapturePort(port: number): boolean {
  return ALL.has(port);
}
