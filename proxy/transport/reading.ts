import { Socket } from "node:net";

/** How the bytes of a socket get to who wants them. They are the reader's again when `take` returns. */
export interface Reading {
  /** Once; what has come before is given first. */
  start(take: (chunk: Buffer) => void): void;
  /** At most what has been read already still comes. */
  pause(): void;
  resume(): void;
}

/**
 * Read into by all connections, one after the other: what is in it is worked off before the next read. Four full DATA
 * frames of the tunnel, which leave in one write and are four full records there.
 */
const SHARED = Buffer.allocUnsafeSlow(65_504);

/**
 * Where Node keeps what the option `onread` of `net.connect` says. The option itself is ignored for accepted sockets and
 * for a TLS socket that is made of another, the two that most bytes come by. Undefined in a Node that has others.
 */
const ONREAD = onreadKeys();

interface UserBuffer {
  useUserBuffer(buffer: Buffer): number;
}

/** The cheapest way that the socket has. */
export function readingOf(socket: Socket): Reading {
  // oxlint-disable-next-line no-underscore-dangle
  const handle = (socket as unknown as { readonly _handle?: Partial<UserBuffer> | null })._handle;
  return ONREAD !== undefined && typeof handle?.useUserBuffer === "function"
    ? readShared(socket, handle as UserBuffer, ONREAD)
    : readTapped(socket);
}

/** Into memory that all connections share: none of its own, and nothing for the garbage collector at each read. */
function readShared(socket: Socket, handle: UserBuffer, keys: OnreadKeys): Reading {
  let isPaused = false;
  return {
    start(take) {
      takeEarly(socket, take);
      Object.assign(socket, {
        [keys.buffer]: SHARED,
        [keys.callback]: (count: number): boolean => {
          take(SHARED.subarray(0, count));
          // False stops the socket until `_read`.
          return !isPaused;
        },
      });
      handle.useUserBuffer(SHARED);
      socket.resume();
    },
    pause() {
      isPaused = true;
    },
    resume() {
      if (!isPaused) return;
      isPaused = false;
      readOn(socket);
    },
  };
}

/** At the place where the socket would put what was read into its stream, whose buffers and events are left out. */
export function readTapped(socket: Socket): Reading {
  let isPaused = false;
  return {
    start(take) {
      const push = socket.push.bind(socket);
      takeEarly(socket, take);
      socket.push = (chunk: Buffer | null): boolean => {
        if (chunk === null) return push(null);
        take(chunk);
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
      readOn(socket);
    },
  };
}

function takeEarly(socket: Socket, take: (chunk: Buffer) => void): void {
  for (let early = nextOf(socket); early !== null; early = nextOf(socket)) take(early);
}

function nextOf(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null;
}

function readOn(socket: Socket): void {
  // oxlint-disable-next-line no-underscore-dangle
  socket._read(0);
}

interface OnreadKeys {
  readonly buffer: symbol;
  readonly callback: symbol;
}

function onreadKeys(): OnreadKeys | undefined {
  const keys = Object.getOwnPropertySymbols(new Socket());
  const buffer = keys.find(({ description }) => description === "kBuffer");
  const callback = keys.find(({ description }) => description === "kBufferCb");
  return buffer && callback && { buffer, callback };
}
