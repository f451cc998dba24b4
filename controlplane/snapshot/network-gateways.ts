import { type PlacedWorkload, workloadId } from "../../mesh/model/workload.ts";
import { by } from "./text-order.ts";

/** A gateway workload through which its network is entered from others. */
export interface NetworkEntry {
  readonly network: string;
  readonly address: string;
  readonly port: number;
}

/** Istio's labels, and the port of mesh TLS between networks. */
const NETWORK_LABEL = "topology.istio.io/network";
const PORT_LABEL = "networking.istio.io/gatewayPort";
const DEFAULT_PORT = 15_443;

export function isNetworkGateway(workload: PlacedWorkload | undefined): boolean {
  return workload?.role === "gateway" && (workload.labels[NETWORK_LABEL] ?? "") !== "";
}

/** The entries that healthy gateways offer. One that declares no port has no address that is known. */
export function networkEntries(workloads: Iterable<PlacedWorkload>): readonly NetworkEntry[] {
  return [...workloads]
    .filter((workload) => workload.healthy && isNetworkGateway(workload))
    .sort(by(workloadId))
    .flatMap(({ labels, ports }) => {
      const port = Number(labels[PORT_LABEL] ?? DEFAULT_PORT);
      const own = ports.find(({ servicePort }) => servicePort === port) ?? ports[0];
      if (own === undefined) return [];
      const { address } = own.inbound;
      return [
        {
          network: labels[NETWORK_LABEL] ?? "",
          address,
          port: own.servicePort === port ? own.inbound.port : port,
        },
      ];
    });
}
