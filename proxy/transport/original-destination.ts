import { createRequire } from "node:module";
import { isIPv6, type Socket } from "node:net";
import { endianness } from "node:os";
import { MeshError, messageOf } from "../../mesh/errors.ts";

/** Where a connection was going before the kernel redirected it. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

type GetSocketOption = (fd: number, level: number, option: number, value: Buffer, length: Buffer) => number;

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** `SO_ORIGINAL_DST` and `IP6T_SO_ORIGINAL_DST` of Linux. */
const ORIGINAL_DST = 80;
/** Of `sockaddr_in` and `sockaddr_in6`: family, port, then the address, which has the flow before it in the latter. */
const SIZE = { v4: 16, v6: 28 } as const;

let loaded: GetSocketOption | undefined;

/** Throws `proxy.unsupported` where the kernel cannot be asked. */
export function prepareOriginalDestination(): void {
  loaded ??= load();
}

/** Undefined for a connection that came here by itself. */
export function originalDestination(socket: Socket): Destination | undefined {
  prepareOriginalDestination();
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } };
  const fd = handle?.fd ?? -1;
  const local = socket.localAddress ?? "";
  if (fd < 0 || local === "") return undefined;
  const isV4 = !isIPv6(local) || local.startsWith("::ffff:");
  const value = Buffer.alloc(isV4 ? SIZE.v4 : SIZE.v6);
  const length = Buffer.alloc(4);
  if (endianness() === "LE") length.writeUInt32LE(value.length);
  else length.writeUInt32BE(value.length);
  // It fails where no rule of the kernel has touched the connection.
  if (loaded?.(fd, isV4 ? SOL_IP : SOL_IPV6, ORIGINAL_DST, value, length) !== 0) return undefined;
  const found = isV4 ? readV4(value) : readV6(value);
  const isHere = found.port === socket.localPort && local.replace(/^::ffff:/, "") === found.address;
  return isHere ? undefined : found;
}

function readV4(value: Buffer): Destination {
  return { port: value.readUInt16BE(2), address: [...value.subarray(4, 8)].join(".") };
}

function readV6(value: Buffer): Destination {
  const words = Array.from({ length: 8 }, (_, index) => value.readUInt16BE(8 + index * 2).toString(16));
  // As a URL has it: shortened, the way that addresses are written everywhere else.
  const address = new URL(`http://[${words.join(":")}]/`).hostname.slice(1, -1);
  return { port: value.readUInt16BE(2), address };
}

function load(): GetSocketOption {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as {
      load(library: null): { func(declaration: string): unknown };
    };
    const getsockopt = koffi.load(null).func("int getsockopt(int, int, int, void *, void *)");
    return getsockopt as GetSocketOption;
  } catch (cause) {
    throw new MeshError("proxy.unsupported", `ask for original destinations: ${messageOf(cause)}`, {
      cause,
      hint: "the package koffi has no build for this platform: use Envoy as the data plane of captured workloads",
    });
  }
}
