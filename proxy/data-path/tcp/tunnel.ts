import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Tunnel } from "../../model/listener.ts";

/**
 * Asks the HTTP proxy at the other end of a connection for a tunnel, and resolves with the bytes that go through it.
 * Rejects, with the connection closed, when the proxy does not answer 2xx within the time, or
 * the signal is aborted.
 */
export async function openTunnel(
  socket: Socket,
  { target, method }: Tunnel,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const asked = request({
    createConnection: () => socket,
    method,
    path: method === "CONNECT" ? target : "/",
    headers: { host: target },
    signal,
  });
  const timer = setTimeout(() => asked.destroy(new Error("no answer in time")), timeoutMs);
  asked.on("error", reject);
  // RFC 9110 §9.3.6: after a 2xx the connection is the tunnel.
  asked.on("connect", (response, connection, head) => {
    if (head.length > 0) connection.unshift(head);
    if (isOpen(response)) resolve(connection);
    else reject(refusal(response));
  });
  // Of a POST each direction is a body.
  asked.on("response", (response) => {
    if (isOpen(response)) resolve(Duplex.from({ readable: response, writable: asked }));
    else reject(refusal(response));
  });
  if (method === "CONNECT") asked.end();
  else asked.flushHeaders();
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function isOpen({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function refusal({ statusCode }: IncomingMessage): Error {
  return new Error(`the proxy answered ${statusCode} when asked for a tunnel`);
}
