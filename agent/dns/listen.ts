import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv6, type Socket } from "node:net";
import type { SocketAddress } from "../../mesh/model/workload.ts";
import type { Transport } from "./exchange.ts";
import { MessageReader, withLength } from "./stream-messages.ts";

/** Answers one message; undefined: with nothing. Never throws. */
export type Handler = (message: Buffer, over: Transport) => Buffer | undefined | Promise<Buffer | undefined>;

const MOST_CONNECTIONS = 256;
/** RFC 7766 §6.2.3: a connection may be kept for a few seconds. */
const IDLE_MS = 10_000;
/** Of one connection; what comes beyond waits in the kernel. */
const MOST_WAITING = 64;
const MOST_UNSENT_BYTES = 1 << 20;

/**
 * Takes questions at an address, by UDP and TCP, until the signal is aborted; `listening` is called when both are there.
 * Throws when the address cannot be had.
 */
export async function listen(
  place: SocketAddress,
  handle: Handler,
  signal: AbortSignal,
  listening: () => void,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const ended = Promise.withResolvers<void>();
  stack.defer(await listenUdp(place, handle, ended.reject));
  stack.defer(await listenTcp(place, handle, ended.reject));
  listening();
  const stop = (): void => ended.resolve();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  await ended.promise;
}

type Close = () => Promise<void>;

async function listenUdp(
  { address, port }: SocketAddress,
  handle: Handler,
  failed: (error: Error) => void,
): Promise<Close> {
  const socket = createSocket({ type: isIPv6(address) ? "udp6" : "udp4", recvBufferSize: 1 << 20 });
  socket.on("message", (message, from) => {
    // Nobody can be answered there.
    if (from.port === 0) return;
    const reply = handle(message, "udp");
    const send = (bytes: Buffer | undefined): void => {
      // One that cannot be reached any more has lost its answer.
      if (bytes !== undefined) socket.send(bytes, from.port, from.address, () => undefined);
    };
    // A handler that fails against its word costs one answer.
    if (reply instanceof Promise) void reply.then(send, () => undefined);
    else send(reply);
  });
  try {
    socket.bind(port, address);
    await once(socket, "listening");
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on("error", failed);
  return async () => {
    const closed = once(socket, "close");
    socket.close();
    await closed;
  };
}

async function listenTcp(
  { address, port }: SocketAddress,
  handle: Handler,
  failed: (error: Error) => void,
): Promise<Close> {
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    serveConnection(socket, handle);
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.listen(port, address);
  await once(server, "listening");
  server.on("error", failed);
  return async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of open) socket.destroy();
    await closed;
  };
}

function serveConnection(socket: Socket, handle: Handler): void {
  let waiting = 0;
  const reader = new MessageReader((message) => {
    waiting += 1;
    // Beyond: those that have been read are answered, the rest is not read until then.
    if (waiting >= MOST_WAITING) socket.pause();
    answer(message).catch(() => socket.destroy());
  });
  const answer = async (message: Buffer): Promise<void> => {
    const reply = await handle(message, "tcp");
    waiting -= 1;
    if (socket.destroyed) return;
    if (reply === undefined || socket.writableLength > MOST_UNSENT_BYTES) socket.destroy();
    else socket.write(withLength(reply));
    if (waiting < MOST_WAITING) socket.resume();
  };
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => reader.push(bytes));
}
