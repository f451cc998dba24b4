import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { SocketAddress } from "../../mesh/model/workload.ts";

/** A TCP socket of this network namespace that listens. */
export interface ListeningSocket extends SocketAddress {
  /** Names the socket in `/proc/<pid>/fd`. */
  readonly inode: string;
  /** The user that made it. */
  readonly uid: number;
}

/** The process behind a socket. */
export interface SocketHolder {
  readonly pid: number;
  readonly name: string;
}

/** State `TCP_LISTEN` in /proc/net/tcp. */
const LISTEN = "0A";

/** Every listening TCP socket. Looks, and connects to nobody: an application must not see phantom clients. */
export async function readListeningSockets(): Promise<readonly ListeningSocket[]> {
  const tables = await Promise.all(
    // Without IPv6 there is no tcp6.
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map((path) => readFile(path, "utf8").catch(() => "")),
  );
  return tables.flatMap(parseSocketTable);
}

/** The listening sockets of a text in the form of /proc/net/tcp or tcp6 (proc_net(5)). */
export function parseSocketTable(text: string): readonly ListeningSocket[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [address = "", port = ""] = (fields[1] ?? "").split(":");
      const inode = fields[9];
      if (fields[3] !== LISTEN || inode === undefined) return [];
      const uid = Number(fields[7]);
      return [{ address: parseAddress(address), port: Number.parseInt(port, 16), inode, uid }];
    });
}

/**
 * Whether a socket keeps others from binding an address and port. The wildcard of IPv6 takes IPv4 as well: that is how
 * most programs listen "everywhere".
 */
export function covers(socket: SocketAddress, wanted: SocketAddress): boolean {
  if (socket.port !== wanted.port) return false;
  return socket.address === wanted.address || isWildcard(socket.address);
}

export function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** Finds who holds a socket; undefined when this user may not see that process. */
export function findHolder(inode: string): SocketHolder | undefined {
  const link = `socket:[${inode}]`;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (!readdirSync(`/proc/${entry}/fd`).some((fd) => linkOf(`/proc/${entry}/fd/${fd}`) === link))
        continue;
      return { pid: Number(entry), name: readFileSync(`/proc/${entry}/comm`, "utf8").trim() };
    } catch {
      // Another user's process, or one that has just gone.
    }
  }
  return undefined;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Words of 32 bits in the machine's byte order, which is little-endian on all that Node runs on. */
function parseAddress(hex: string): string {
  const bytes = hex.match(/.{8}/g)?.flatMap((word) => [6, 4, 2, 0].map((at) => word.slice(at, at + 2))) ?? [];
  const mapped = bytes.length === 16 && bytes.slice(0, 12).join("") === "00000000000000000000FFFF";
  if (bytes.length === 4 || mapped) {
    return bytes
      .slice(-4)
      .map((byte) => Number.parseInt(byte, 16))
      .join(".");
  }
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) =>
    Number.parseInt(`${bytes[at]}${bytes[at + 1]}`, 16).toString(16),
  );
  return compress(groups);
}

/** RFC 5952: the longest run of zero groups becomes `::`. */
function compress(groups: readonly string[]): string {
  const runs = [...groups.join(":").matchAll(/\b0(?::0)+\b/g)].map(([run]) => run);
  const [longest] = runs.sort((a, b) => b.length - a.length);
  if (longest === undefined) return groups.join(":");
  const at = groups.join(":").indexOf(longest);
  const text = groups.join(":");
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}
