/** Settings of HTTP/2 connections, as far as they are said; each codec has defaults of its own. */
export interface Http2Settings {
  readonly maxConcurrentStreams?: number;
  /** Bytes that the other end may send ahead of what has been taken, of one body and of all together; 65,535 or more. */
  readonly streamWindow?: number;
  readonly connectionWindow?: number;
  /** A PING so often, in milliseconds, and how long its answer may take before the connection is given up. */
  readonly keepAlive?: { readonly intervalMs: number; readonly timeoutMs: number };
}
