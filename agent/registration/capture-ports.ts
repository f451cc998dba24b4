import type { CapturedAt, WorkloadId } from "../../mesh/model/workload.ts";
import { VIRTUAL_INBOUND, VIRTUAL_OUTBOUND } from "../../mesh/xds/names.ts";

type CapturePorts = Pick<CapturedAt, "outbound" | "inbound">;

const FURTHER = { first: 15_300, pairs: 50 } as const;

/**
 * Ports for the proxies of captured workloads, a pair for each: the first has Istio's, so that rules which know nothing of
 * Lateen lead to it.
 */
const CAPTURE_PORTS: readonly CapturePorts[] = [
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

/** Ports to which rules send connections of a workload, whatever has become of it. */
export interface RuledPorts {
  readonly workload: string;
  readonly outbound: number;
  readonly inbound?: number | undefined;
}

/**
 * Pairs that a workload may have, the best first: those that it had, then those that rules name for it. Those that rules
 * name for another are that one's even when it is gone: its calls would come out of this workload's proxy, with its
 * identity. `others`: outbound ports of all workloads.
 */
export function freeCapturePorts(
  id: WorkloadId,
  others: ReadonlySet<number>,
  ruled: readonly RuledPorts[],
  had: CapturePorts | undefined,
): readonly CapturePorts[] {
  const named = (isOwn: boolean): ReadonlySet<number> =>
    new Set(
      ruled
        .filter(({ workload }) => (workload === id) === isOwn)
        .flatMap(({ outbound, inbound = outbound }) => [outbound, inbound]),
    );
  const [own, taken] = [named(true), named(false)];
  const free = CAPTURE_PORTS.filter(({ outbound }) => !others.has(outbound));
  return [
    ...(had === undefined ? [] : [had]),
    ...free.filter(({ outbound }) => own.has(outbound)),
    ...free.filter(({ outbound }) => !own.has(outbound)),
  ].filter(({ outbound, inbound }) => !taken.has(outbound) && !taken.has(inbound));
}
