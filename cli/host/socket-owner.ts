import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect } from "node:net";

/** `__SO_ACCEPTCON` among the flags of /proc/net/unix: the socket listens. */
const LISTENS = 0x1_00_00;

/**
 * Whether a process has the listening socket at a path: the kernel's word for who answers there. False also for processes
 * that this user may not look into.
 */
export function listensAt(pid: number, path: string): boolean {
  try {
    const inodes = listeningInodes(readFileSync(`/proc/${pid}/net/unix`, "utf8"), path);
    const links = readdirSync(`/proc/${pid}/fd`).map((name) => linkOf(`/proc/${pid}/fd/${name}`));
    return inodes.some((inode) => links.includes(`socket:[${inode}]`));
  } catch {
    return false;
  }
}

/** Whether anybody takes connections at a path. Throws when this user may not try. */
export async function isTaken(path: string): Promise<boolean> {
  const socket = connect(path);
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(true));
  socket.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ECONNREFUSED") resolve(false);
    else reject(error);
  });
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** Of a text in the form of /proc/net/unix: `Num RefCount Protocol Flags Type St Inode Path`, numbers in hex. */
function listeningInodes(text: string, path: string): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const [, flags = "", inode = "", at] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (.+)$/.exec(line) ?? [];
    return at === path && (Number.parseInt(flags, 16) & LISTENS) !== 0 ? [inode] : [];
  });
}

/** Undefined for what was closed meanwhile. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
