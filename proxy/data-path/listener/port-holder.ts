import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isIPv6 } from "node:net";

const LISTENING = "0A";

/** Who listens on a port, as `nginx (pid 812)`; undefined when the kernel does not tell this user. */
export function portHolder(address: string, port: number): string | undefined {
  try {
    const inode = listeningInode(address, port);
    return inode === undefined ? undefined : holderOf(inode);
  } catch {
    return undefined;
  }
}

function listeningInode(address: string, port: number): string | undefined {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const wanted = isIPv6(address) ? undefined : hexAddress(address);
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readFileSync(table, "utf8").split("\n").slice(1)) {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      const [place = "", at] = local.split(":");
      if (state !== LISTENING || at !== hexPort) continue;
      if (wanted === undefined || place === wanted || /^0+$/.test(place) || place.endsWith(wanted))
        return inode;
    }
  }
  return undefined;
}

/** As `/proc/net/tcp` has it: bytes in host order, which is little-endian wherever Node runs. */
function hexAddress(address: string): string {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return bytes.toReversed().join("").toUpperCase();
}

function holderOf(inode: string): string | undefined {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (!openFiles(pid).includes(`socket:[${inode}]`)) continue;
    return `${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} (pid ${pid})`;
  }
  return undefined;
}

function openFiles(pid: string): string[] {
  const folder = `/proc/${pid}/fd`;
  return attempt(() => readdirSync(folder), []).map((fd) =>
    attempt(() => readlinkSync(`${folder}/${fd}`), ""),
  );
}

/** Files come and go while they are looked at, and others' are not shown to everyone. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
