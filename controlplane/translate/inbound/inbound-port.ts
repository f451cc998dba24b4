import type { ConnectionPool } from "../../../mesh/model/destination-rule.ts";
import type { ServerTls } from "../../../mesh/model/gateway.ts";
import type { Protocol } from "../../../mesh/model/service.ts";
import type { SocketAddress } from "../../../mesh/model/workload.ts";
import { entriesSelecting } from "../../policy/selecting-entries.ts";
import { sidecarFor } from "../../policy/sidecars.ts";
import type { SnapshotView, WorkloadConfig } from "../../snapshot/snapshot-view.ts";

/** A port at which a workload's proxy takes calls for its application. */
export interface InboundPort {
  /** The number in `inbound|9080||`. */
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** Where the proxy listens, or where captured connections were going. */
  readonly bind: SocketAddress;
  /** False: it is part of the listener for captured connections. */
  readonly binds: boolean;
  /** The application; a `unix://` path has port 0. */
  readonly app: SocketAddress;
  /** TLS of the application's own, which the proxy takes off. */
  readonly tls: ServerTls | undefined;
  readonly pool: ConnectionPool | undefined;
}

/** What a Sidecar says of a workload's ports, or else what the workload itself says. Lowest number first. */
export function inboundPorts(view: SnapshotView, workload: WorkloadConfig): readonly InboundPort[] {
  const captured = workload.interception !== "none";
  const sidecar = sidecarFor(view, workload)?.spec;
  const pool = sidecar?.inboundConnectionPool;
  const registered = workload.ports.map(
    ({ servicePort, name, protocol, inbound, bind = inbound, app }): InboundPort => ({
      number: servicePort,
      name,
      protocol,
      bind,
      binds: !captured,
      app,
      tls: undefined,
      pool,
    }),
  );
  const own = captured ? [...registered, ...selectedPorts(view, workload, registered)] : registered;
  const ports =
    sidecar === undefined || sidecar.ingress.length === 0
      ? own
      : sidecar.ingress.map(
          ({ port, bind, captureMode, defaultEndpoint, tls, connectionPool }): InboundPort => {
            const declared = own.find(
              ({ number, app }) => number === port.number || app.port === port.number,
            );
            const address = bind || declared?.bind.address || "0.0.0.0";
            return {
              number: port.number,
              name: port.name,
              protocol: port.protocol,
              bind: { address, port: port.number },
              binds: !captured || captureMode === "NONE",
              app: applicationOf(defaultEndpoint) ??
                declared?.app ?? { address: "127.0.0.1", port: port.number },
              tls,
              pool: connectionPool ?? pool,
            };
          },
        );
  return [...ports].sort((a, b) => a.number - b.number);
}

/** What ServiceEntries that select a captured workload say of its other ports; of two for one the older. */
function selectedPorts(
  view: SnapshotView,
  workload: WorkloadConfig,
  registered: readonly InboundPort[],
): readonly InboundPort[] {
  const [first] = registered;
  if (first === undefined) return [];
  const ports = new Map<number, InboundPort>();
  const known = new Set(registered.flatMap(({ number, name, app }) => [number, name, app.port]));
  for (const { spec } of entriesSelecting(view, workload)) {
    for (const { number, targetPort = number, name, protocol } of spec.ports) {
      if (known.has(targetPort) || known.has(name) || ports.has(targetPort)) continue;
      const bind = { address: first.bind.address, port: targetPort };
      const app = { address: "127.0.0.1", port: targetPort };
      ports.set(targetPort, { ...first, number: targetPort, name, protocol, bind, app });
    }
  }
  return [...ports.values()];
}

/** `127.0.0.1:8080`, `0.0.0.0:8080` (the workload's own address, which loopback stands for) or `unix:///path`. */
function applicationOf(endpoint: string): SocketAddress | undefined {
  if (endpoint === "") return undefined;
  if (endpoint.startsWith("unix://")) return { address: endpoint, port: 0 };
  const colon = endpoint.lastIndexOf(":");
  const address = endpoint.slice(0, colon).replace(/^\[|\]$/g, "");
  return { address: address === "0.0.0.0" ? "127.0.0.1" : address, port: Number(endpoint.slice(colon + 1)) };
}
