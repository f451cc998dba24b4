import { connect, isIP, type Socket } from "node:net";
import { messageOf } from "../../../mesh/errors.ts";
import type { Endpoint } from "../../model/cluster.ts";

/** The reason of one that took too long. */
export const NO_ANSWER = "no answer in time";

/** Why no connection to an upstream came about; `flag` is Envoy's response flag. */
export class UpstreamConnectError extends Error {
  override readonly name = "UpstreamConnectError";
  readonly flag: "UF" | "UO";

  constructor(flag: "UF" | "UO", message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.flag = flag;
  }
}

/**
 * A plain TCP connection within the time. The socket has an error listener already. It comes from the first of `sources`
 * that is of the endpoint's family.
 */
export async function dial(
  endpoint: Pick<Endpoint, "address" | "port">,
  timeoutMs: number,
  signal: AbortSignal,
  sources: readonly string[] = [],
): Promise<Socket> {
  if (signal.aborted) throw new UpstreamConnectError("UF", "the caller is gone");
  const { address, port } = endpoint;
  const family = isIP(address);
  const localAddress = sources.find((source) => isIP(source) === family);
  const place = /^[/@]/.test(address)
    ? { path: address.replace(/^@/, "\0") }
    : { host: address, port, ...(localAddress === undefined ? {} : { localAddress }) };
  const socket = connect({ ...place, noDelay: true, allowHalfOpen: true });
  socket.on("error", () => {});
  try {
    await connected(socket, timeoutMs, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw new UpstreamConnectError("UF", reasonOf(error), error);
  }
}

/** In Envoy's words, which people look for in logs. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = Object.hasOwn(ERROR_TEXTS, code) ? ERROR_TEXTS[code] : undefined;
  return text === undefined ? messageOf(error) : `delayed connect error: ${text}`;
}

/** As the C library says them. */
const ERROR_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EHOSTUNREACH: "No route to host",
  ENETUNREACH: "Network is unreachable",
  ETIMEDOUT: "Connection timed out",
};

async function connected(socket: Socket, timeoutMs: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error(NO_ANSWER)), timeoutMs);
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    const abort = (): void => fail(new Error("the caller is gone"));
    const done = (): void => {
      settle();
      resolve();
    };
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.off("error", fail);
      socket.off("connect", done);
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.once("error", fail);
    socket.once("connect", done);
  });
}

/** `address:port` of our own end; empty: there is none any more, or it has no port. */
export function localAddressOf({
  localAddress,
  localPort,
}: Pick<Socket, "localAddress" | "localPort">): string {
  if (localAddress === undefined || localPort === undefined) return "";
  return localAddress.includes(":") ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
}
