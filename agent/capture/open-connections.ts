import { readFile } from "node:fs/promises";

/** State `TCP_ESTABLISHED` in /proc/net/tcp. */
const ESTABLISHED = "01";

/** How many connections there are at these ports of this host. */
export async function openConnections(ports: ReadonlySet<number>): Promise<number> {
  const tables = await Promise.all(
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map((path) => readFile(path, "utf8").catch(() => "")),
  );
  return tables.reduce((sum, table) => sum + countEstablished(table, ports), 0);
}

/** Of a text in the form of /proc/net/tcp (proc_net(5)). */
export function countEstablished(text: string, ports: ReadonlySet<number>): number {
  return text
    .split("\n")
    .slice(1)
    .filter((line) => {
      const [, local = "", , state] = line.trim().split(/\s+/);
      return state === ESTABLISHED && ports.has(Number.parseInt(local.split(":")[1] ?? "", 16));
    }).length;
}
