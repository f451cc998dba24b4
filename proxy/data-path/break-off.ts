import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

const carriers = new WeakMap<Duplex, Socket>();

/** Remembers which TCP connection carries a TLS one. */
export function carriedBy(secure: TLSSocket, raw: Socket): void {
  carriers.set(secure, raw);
}

/**
 * Ends a connection so that its other end cannot take what it has read for everything: with a TCP reset. TLS ends with
 * the connection that carries it: destroyed by itself it would close that one in order, and after it, in the turn in
 * which the handshake is done, it takes Node 24 down with a segmentation fault.
 */
export function breakOff(stream: Duplex): void {
  if (stream.destroyed) return;
  const raw = carriers.get(stream) ?? stream;
  if (raw instanceof Socket) raw.resetAndDestroy();
  else raw.destroy();
}
