import { MeshError } from "../../mesh/errors.ts";
import { libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2_000_000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
/** `sun_path` of sockaddr_un(7). */
const LONGEST_PATH = 108;

/** Sends one datagram to a unix socket. */
export type SendDatagram = (path: string, payload: string) => void;

/**
 * Sends a datagram through libc, which Node has no call for. The library is loaded at the first use. A path that begins
 * with `@` names an abstract socket. Throws when koffi cannot load here, or when nobody takes the datagram.
 */
export const sendDatagram: SendDatagram = (path, payload) => {
  const calls = libc();
  const address = socketAddress(path);
  const data = Buffer.from(payload);
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw new MeshError("internal", `open a datagram socket: errno ${calls.errno()}`);
  try {
    const sent = calls.sendto(fd, data, data.length, MSG_DONTWAIT_NOSIGNAL, address, address.length);
    if (sent < 0) throw new MeshError("internal", `send a datagram to ${path}: errno ${calls.errno()}`);
  } finally {
    calls.close(fd);
  }
};

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
