import type { Socket } from "node:net";
import { type ClientHello, peekClientHello } from "../tls/client-hello.ts";
import { peekHttp } from "./peek-http.ts";

export type Inspected =
  /** `http`: the version of HTTP that it is, as ALPN would have it; none when it is something else. */
  | { readonly kind: "plain"; readonly http: readonly string[] }
  | { readonly kind: "tls"; readonly hello: ClientHello }
  /** Nothing to go by in time. */
  | { readonly kind: "silent" }
  | { readonly kind: "closed" };

interface Wanted {
  readonly inspectTls: boolean;
  readonly inspectHttp: boolean;
}

/**
 * Reads as many bytes of a new connection as it takes to tell TLS from plain bytes, and puts them back: whoever reads
 * next finds the connection untouched.
 */
export async function inspectConnection(
  socket: Socket,
  timeoutMs: number,
  wanted: Wanted,
): Promise<Inspected> {
  const chunks: Buffer[] = [];
  return await new Promise<Inspected>((resolve) => {
    const settle = (result: Inspected): void => {
      clearTimeout(timer);
      socket.off("readable", read);
      socket.off("end", closed);
      socket.off("close", closed);
      if (chunks.length > 0 && !socket.destroyed && !socket.readableEnded)
        socket.unshift(Buffer.concat(chunks));
      resolve(result);
    };
    const closed = (): void => settle({ kind: "closed" });
    const read = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      chunks.push(chunk);
      const peeked = peek(Buffer.concat(chunks), wanted);
      if (peeked.kind !== "incomplete") settle(peeked);
    };
    const timer = setTimeout(() => settle({ kind: "silent" }), timeoutMs);
    socket.on("readable", read);
    // Who ends before it has said what it speaks says no more: it must not hold a place until the time is over.
    socket.on("end", closed);
    socket.on("close", closed);
    if (socket.destroyed) closed();
  });
}

function peek(
  bytes: Buffer,
  { inspectTls, inspectHttp }: Wanted,
): Inspected | { readonly kind: "incomplete" } {
  const tls = inspectTls ? peekClientHello(bytes) : { kind: "plain" as const };
  if (tls.kind !== "plain") return tls;
  if (!inspectHttp) return { kind: "plain", http: [] };
  const http = peekHttp(bytes);
  return http === "incomplete" ? { kind: "incomplete" } : { kind: "plain", http };
}
