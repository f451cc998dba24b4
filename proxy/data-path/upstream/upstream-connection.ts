import type { Socket } from "node:net";
import type { PeerCertificate } from "../tls/peer.ts";
import type { ConnectionSlots } from "./connection-slots.ts";

export interface UpstreamConnection {
  readonly socket: Socket;
  /** The server's identity; undefined without TLS. */
  readonly peer: PeerCertificate | undefined;
}

export interface ClusterCounts {
  /** Connections that are open, or being opened. */
  readonly connections: number;
  /** Requests that are running. */
  active: number;
  /** Requests and connections ever. */
  total: number;
  retries: number;
}

export function countsOf(slots: Pick<ConnectionSlots, "open">): ClusterCounts {
  return {
    get connections() {
      return slots.open;
    },
    active: 0,
    total: 0,
    retries: 0,
  };
}
