import type { SessionTimeLimits } from "./session-times.ts";

export interface Http2Options extends SessionTimeLimits {
  /** Milliseconds from a request's head to the end of its body; 0 is without limit. */
  readonly requestMs: number;
  /** Requests at once: what a server lets its clients do, and the most that a client does though its server allows more. */
  readonly maxConcurrentStreams: number;
  /** Bytes of one body that the peer may send ahead of what has been taken; 65 535 or more. */
  readonly streamWindow: number;
  /** The same for all bodies of the connection together. */
  readonly connectionWindow: number;
  /** Of one head or trailers, as RFC 9113 §6.5.2 counts: names, values and 32 bytes a field. */
  readonly maxHeaderBytes: number;
  readonly maxHeaderCount: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

const COMMON = {
  maxConcurrentStreams: 100,
  streamWindow: 65_536,
  maxHeaderBytes: 61_440,
  maxHeaderCount: 100,
  headMs: 10_000,
  idleMs: 0,
  keepAlive: undefined,
  requestMs: 0,
  now: () => performance.now(),
};

/** Envoy's values for an edge: a client that is held back on many streams holds the others back too. */
export const SERVER_OPTIONS: Http2Options = { ...COMMON, connectionWindow: 1_048_576 };

/** Room for every stream: one caller who is slow must not stop those who share the connection. */
export const CLIENT_OPTIONS: Http2Options = {
  ...COMMON,
  connectionWindow: COMMON.maxConcurrentStreams * COMMON.streamWindow,
};
