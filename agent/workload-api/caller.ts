import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { libc } from "../host/libc.ts";

/** Who is at the other end of a unix socket, by the kernel's word as of the connection. */
export interface Caller {
  readonly uid: number;
  /** The systemd unit that its process was in; undefined: in none. */
  readonly unit: string | undefined;
}

/** Tells callers apart; undefined when it cannot. Never throws. */
export type IdentifyCaller = (socket: Socket) => Promise<Caller | undefined>;

const SOL_SOCKET = 1;
/** `struct ucred`: pid, uid and gid (unix(7)). */
const SO_PEERCRED = 17;
const UCRED_BYTES = 12;

/** By SO_PEERCRED, and the process's cgroup for its unit. */
export const identifyCaller: IdentifyCaller = async (socket) => {
  const credentials = peerCredentials(socket);
  if (credentials === undefined) return undefined;
  const { pid, uid } = credentials;
  return { uid, unit: unitOf(await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "")) };
};

function peerCredentials(socket: Socket): { readonly pid: number; readonly uid: number } | undefined {
  // Node tells a socket's descriptor nowhere else.
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } };
  const fd = handle?.fd ?? -1;
  if (fd < 0) return undefined;
  try {
    const value = Buffer.alloc(UCRED_BYTES);
    const view = new DataView(value.buffer, value.byteOffset, UCRED_BYTES);
    const length = Buffer.from(new Uint8Array(Uint32Array.of(UCRED_BYTES).buffer));
    if (libc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length) !== 0) return undefined;
    const [pid, uid] = new Int32Array(value.buffer.slice(view.byteOffset, view.byteOffset + 8));
    return pid === undefined || uid === undefined || pid <= 0 ? undefined : { pid, uid: uid >>> 0 };
  } catch {
    return undefined;
  }
}

/**
 * The unit in a `/proc/<pid>/cgroup`: `0::/system.slice/reviews.service/…`. The first service on the way counts: below a
 * user's own manager, which is one, users name units as they like.
 */
export function unitOf(cgroup: string): string | undefined {
  const line = cgroup.split("\n").find((one) => /^(0::|\d+:name=systemd:)/.test(one));
  return line?.split("/").find((part) => /^[^/]+\.service$/.test(part));
}
