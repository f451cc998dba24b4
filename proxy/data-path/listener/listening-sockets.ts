import { closeSync } from "node:fs";

/** A socket that listens, by its descriptor in this process. */
export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
  readonly fd: number;
}

/**
 * Sockets that were listening before this process began: those of the proxy that it takes over from. The queue of a
 * listening socket belongs to the socket and not to a process, so nobody who is in it is lost.
 */
export class ListeningSockets {
  /**
   * Whether a port may be bound beside another socket that listens there: one of another worker, or of the proxy that is
   * taken over from. Otherwise it is refused, although the kernel would let it pass: half of the connections would go to
   * somebody else.
   */
  mayJoin: boolean;
  readonly #unclaimed: Set<ListeningSocket>;

  constructor(sockets: readonly ListeningSocket[], mayJoin: boolean) {
    this.#unclaimed = new Set(sockets);
    this.mayJoin = mayJoin;
  }

  /** Descriptors of the sockets that listen there; they are the caller's from now on. */
  claim(address: string, port: number): readonly number[] {
    const found = [...this.#unclaimed].filter((one) => one.address === address && one.port === port);
    for (const one of found) this.#unclaimed.delete(one);
    return found.map(({ fd }) => fd);
  }

  /** Closes what nobody has claimed. */
  closeUnclaimed(): void {
    for (const { fd } of this.#unclaimed) closeSync(fd);
    this.#unclaimed.clear();
  }
}
