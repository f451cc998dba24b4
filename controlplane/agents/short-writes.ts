import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerHttp2Stream } from "node:http2";

/** Published by Node for each stream that a client opens, before anybody has it. */
const STREAM_CREATED = "http2.server.stream.created";

/** With the frames' heads, and small frames beside it, below what a TLS record holds (RFC 8446, 5.1: 2^14 bytes). */
const PIECE_BYTES = 16_000;

type Write = (this: ServerHttp2Stream, chunk: Uint8Array, done?: (error?: Error | null) => void) => boolean;

/**
 * Gives the HTTP/2 streams of connections to this port what is written to them in pieces, each when the one before is on
 * its way, until the signal is aborted. A session writes at once all that it has and the client's windows take; TLS gets
 * memory for the largest such write and keeps it as long as the connection lives, so that a client with large windows
 * would have the server keep room for all of its configuration.
 */
export function writeInPieces(port: number, signal: AbortSignal): void {
  if (signal.aborted) return;
  const onStream = (message: unknown): void => {
    const { stream } = message as { readonly stream: ServerHttp2Stream };
    // Without `_writev` the stream does not gather what waits in it.
    if (stream.session?.socket.localPort === port)
      Object.assign(stream, { write: writePieces, _writev: null });
  };
  subscribe(STREAM_CREATED, onStream);
  signal.addEventListener("abort", () => unsubscribe(STREAM_CREATED, onStream), { once: true });
}

const writePieces: Write = function (chunk, done) {
  const { write } = Object.getPrototypeOf(this) as { write: Write };
  let from = 0;
  for (; chunk.length - from > PIECE_BYTES; from += PIECE_BYTES) {
    write.call(this, chunk.subarray(from, from + PIECE_BYTES));
  }
  return write.call(this, from === 0 ? chunk : chunk.subarray(from), done);
};
