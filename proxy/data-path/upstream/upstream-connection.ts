import type { Socket } from "node:net";
import type { PeerCertificate } from "../tls/peer.ts";

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
