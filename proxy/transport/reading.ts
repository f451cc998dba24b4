import type { Socket } from "node:net";
import type { StaticReader } from "./static-reader.ts";

/** How the bytes of a socket get to who wants them. */
export interface Reading {
  /** Once; what has come before is given first. */
  start(take: (chunk: Buffer) => void): void;
  /** At most one more chunk comes. */
  pause(): void;
  resume(): void;
}

/** By the events of the stream: works with every socket, and costs most. */
export function readEvents(socket: Socket): Reading {
  return {
    start: (take) => void socket.on("data", take),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

/** Into memory that is shared by all; for sockets that were connected with the reader's options. */
export function readStatic(socket: Socket, reader: StaticReader): Reading {
  return {
    start(take) {
      reader.readTo(take);
      socket.resume();
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

/**
 * At the place where the socket would put what was read into its stream: the stream's buffers and events are left out.
 * For sockets whose `onread` cannot be chosen, accepted ones and those under TLS (Node ignores it for a TLS socket that
 * is made of another).
 */
export function readTapped(socket: Socket): Reading {
  let isPaused = false;
  return {
    start(take) {
      const push = socket.push.bind(socket);
      for (let early = nextOf(socket); early !== null; early = nextOf(socket)) take(early);
      socket.push = (chunk: Buffer | null): boolean => {
        if (chunk === null) return push(null);
        take(chunk);
        // False stops the socket until `_read`.
        return !isPaused;
      };
      socket.resume();
    },
    pause() {
      isPaused = true;
    },
    resume() {
      if (!isPaused) return;
      isPaused = false;
      // oxlint-disable-next-line no-underscore-dangle
      socket._read(0);
    },
  };
}

function nextOf(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null;
}
