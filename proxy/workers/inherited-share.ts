import { closeSync, fstatSync } from "node:fs";
import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";

interface Given extends ListeningSocket {
  readonly inode: number | undefined;
}

/**
 * The sockets that were listening before this process began and are one worker's, as the main thread sees them: a thread
 * that ends takes those with it that it accepted from, and leaves the others open, with nobody to accept.
 */
export class InheritedShare {
  readonly #given: readonly Given[];

  constructor(sockets: readonly ListeningSocket[]) {
    this.#given = sockets.map((socket) => ({ ...socket, inode: inodeOf(socket.fd) }));
  }

  /** Those that are still open: for a thread that begins where there is none. */
  get left(): readonly ListeningSocket[] {
    return this.#given.flatMap(({ inode, ...socket }) =>
      // The descriptor's number may be somebody else's by now.
      inode !== undefined && inodeOf(socket.fd) === inode ? [socket] : [],
    );
  }

  /** Closes what is left of them; while there is no thread. */
  close(): void {
    for (const { fd } of this.left) closeSync(fd);
  }
}

function inodeOf(fd: number): number | undefined {
  try {
    return fstatSync(fd).ino;
  } catch {
    return undefined;
  }
}
