import type { SocketAddress, WorkloadId } from "../../mesh/model/workload.ts";
import { covers, type ListeningSocket, type SocketHolder } from "./listening-sockets.ts";

/** Ports for proxies whose application already has the service's own port: Consul's range for sidecars. */
const MESH_PORTS = { first: 21_000, last: 21_255 } as const;

/** A listening socket of a process that is none of this agent's data planes. */
export interface ForeignSocket extends ListeningSocket {
  /** Undefined when this user may not see the process. */
  readonly holder: SocketHolder | undefined;
}

/** Addresses and ports of this host while a plan is made: who has them, and what the plan gives away. */
export class HostPorts {
  readonly #foreign: readonly ForeignSocket[];
  readonly #occupied: readonly SocketAddress[];
  readonly #claims = new Map<string, WorkloadId>();

  /** `occupied` has the sockets of this agent's data planes too. */
  constructor(foreign: readonly ForeignSocket[], occupied: readonly SocketAddress[]) {
    this.#foreign = foreign;
    this.#occupied = occupied;
  }

  /** The socket of an application, or of anybody else outside this agent, that has the place. */
  foreign(place: SocketAddress): ForeignSocket | undefined {
    return this.#foreign.find((socket) => covers(socket, place));
  }

  /** Gives a place to a workload; returns who has it instead, in words, when it is taken. */
  claim(place: SocketAddress, workload: WorkloadId): string | undefined {
    const owner = this.#claims.get(key(place));
    if (owner !== undefined) return `workload ${owner}`;
    const socket = this.foreign(place);
    if (socket !== undefined) return describeHolder(socket.holder);
    this.#claims.set(key(place), workload);
    return undefined;
  }

  /** Gives a port of all addresses to a workload; false when somebody has it at one of them. */
  claimEverywhere(port: number, workload: WorkloadId): boolean {
    if (this.#foreign.some((socket) => socket.port === port)) return false;
    if ([...this.#claims].some(([place, owner]) => place.endsWith(`_${port}`) && owner !== workload))
      return false;
    return this.claim({ address: "0.0.0.0", port }, workload) === undefined;
  }

  /** A free port of the mesh's range on an address; undefined when all are taken. */
  claimMeshPort(address: string, workload: WorkloadId, preferred: number | undefined): number | undefined {
    if (preferred !== undefined && this.claim({ address, port: preferred }, workload) === undefined) {
      return preferred;
    }
    for (let port: number = MESH_PORTS.first; port <= MESH_PORTS.last; port++) {
      const place = { address, port };
      if (this.#occupied.some((socket) => covers(socket, place))) continue;
      if (this.claim(place, workload) === undefined) return port;
    }
    return undefined;
  }
}

export function isMeshPort(port: number): boolean {
  return port >= MESH_PORTS.first && port <= MESH_PORTS.last;
}

function describeHolder(holder: SocketHolder | undefined): string {
  return holder === undefined ? "a process of another user" : `process ${holder.pid} (${holder.name})`;
}

function key({ address, port }: SocketAddress): string {
  return `${address}_${port}`;
}
