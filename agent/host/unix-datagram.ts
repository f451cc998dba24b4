import { createRequire } from "node:module";
import { MeshError, messageOf } from "../../mesh/errors.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2_000_000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
/** `sun_path` of sockaddr_un(7). */
const LONGEST_PATH = 108;

/** Sends one datagram to a unix socket. */
export type SendDatagram = (path: string, payload: string) => void;

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(fd: number, data: Buffer, length: number, flags: number, address: Buffer, size: number): number;
  close(fd: number): number;
}

interface Koffi {
  load(library: null): { func(declaration: string): unknown };
  errno(): number;
}

let loaded: { readonly libc: Libc; readonly koffi: Koffi } | undefined;

/**
 * Sends a datagram through libc, which Node has no call for. The library is loaded at the first use. A path that begins
 * with `@` names an abstract socket. Throws when koffi cannot load here, or when nobody takes the datagram.
 */
export const sendDatagram: SendDatagram = (path, payload) => {
  const { libc, koffi } = load();
  const address = socketAddress(path);
  const data = Buffer.from(payload);
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw new MeshError("internal", `open a datagram socket: errno ${koffi.errno()}`);
  try {
    const sent = libc.sendto(fd, data, data.length, MSG_DONTWAIT_NOSIGNAL, address, address.length);
    if (sent < 0) throw new MeshError("internal", `send a datagram to ${path}: errno ${koffi.errno()}`);
  } finally {
    libc.close(fd);
  }
};

function load(): { readonly libc: Libc; readonly koffi: Koffi } {
  if (loaded !== undefined) return loaded;
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    const library = koffi.load(null);
    const libc = {
      socket: library.func("int socket(int, int, int)"),
      sendto: library.func("long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)"),
      close: library.func("int close(int)"),
    } as unknown as Libc;
    loaded = { libc, koffi };
    return loaded;
  } catch (cause) {
    throw new MeshError("internal", `load libc: ${messageOf(cause)}`, {
      cause,
      hint: "the package koffi has no build for this platform; systemd is told through systemd-notify instead",
    });
  }
}

/** sockaddr_un: the family, then the path with its final zero; an abstract name begins with a zero and has none. */
function socketAddress(path: string): Buffer {
  const abstract = path.startsWith("@");
  const name = Buffer.from(abstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > LONGEST_PATH)
    throw new MeshError("internal", `send a datagram: the path ${path} is too long`);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, name]);
}
