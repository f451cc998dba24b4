import { createSocket } from "node:dgram";
import { connect, isIPv6, type Socket } from "node:net";
import type { SocketAddress } from "../../mesh/model/workload.ts";
import { MessageReader, withLength } from "./stream-messages.ts";

/** Over which transport a question goes. */
export type Transport = "udp" | "tcp";

/**
 * Asks a resolver once, from a port of its own (RFC 5452), and returns the first message that `isAnswer` takes. Throws
 * when the signal is aborted or the resolver cannot be reached.
 */
export async function exchange(
  to: SocketAddress,
  message: Buffer,
  over: Transport,
  isAnswer: (reply: Buffer) => boolean,
  signal: AbortSignal,
): Promise<Buffer> {
  return over === "udp"
    ? await askByUdp(to, message, isAnswer, signal)
    : await askByTcp(to, message, isAnswer, signal);
}

async function askByUdp(
  { address, port }: SocketAddress,
  message: Buffer,
  isAnswer: (reply: Buffer) => boolean,
  signal: AbortSignal,
): Promise<Buffer> {
  const socket = createSocket(isIPv6(address.replace(/%.*$/, "")) ? "udp6" : "udp4");
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const abort = (): void => reject(new Error("no answer in time"));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  socket.on("error", reject);
  // Connected: the kernel drops what comes from elsewhere, and tells when nobody listens there.
  socket.once("connect", () => {
    socket.on("message", (reply: Buffer) => {
      if (isAnswer(reply)) resolve(reply);
    });
    socket.send(message, (error) => {
      if (error !== null) reject(error);
    });
  });
  socket.connect(port, address);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.close();
  }
}

async function askByTcp(
  { address, port }: SocketAddress,
  message: Buffer,
  isAnswer: (reply: Buffer) => boolean,
  signal: AbortSignal,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const reader = new MessageReader((reply) => {
    if (isAnswer(reply)) resolve(reply);
    else reject(new Error("the answer is to another question"));
  });
  const socket: Socket = connect({ host: address, port });
  const abort = (): void => reject(new Error("no answer in time"));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  socket.once("connect", () => socket.write(withLength(message)));
  socket.on("data", (bytes: Buffer) => reader.push(bytes));
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection was closed")));
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}
