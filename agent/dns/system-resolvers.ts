import { readFile, stat } from "node:fs/promises";
import { parseResolvConf, type ResolvConf } from "./resolv-conf.ts";

/** Where a host says which resolvers it has. */
export interface ResolverFiles {
  readonly resolvConf: string;
  /** What systemd-resolved has of its links, where resolv.conf names but its stub. */
  readonly resolved: string;
}

export const RESOLVER_FILES: ResolverFiles = {
  resolvConf: "/etc/resolv.conf",
  resolved: "/run/systemd/resolve/resolv.conf",
};

/** systemd-resolved's stub listeners (systemd-resolved.service(8)). */
const STUBS: ReadonlySet<string> = new Set(["127.0.0.53", "127.0.0.54"]);

/**
 * The resolvers that the host asks. systemd-resolved's stub is passed over for those behind it: hooked up, it would ask us.
 * Undefined when there is no resolv.conf that can be read.
 */
export async function systemResolvers(files: ResolverFiles): Promise<ResolvConf | undefined> {
  const own = await read(files.resolvConf);
  if (own === undefined) return undefined;
  if (!own.nameservers.some((one) => STUBS.has(one))) return own;
  const behind = await read(files.resolved);
  return behind === undefined || behind.nameservers.length === 0
    ? own
    : { ...own, nameservers: behind.nameservers };
}

/** Equal as long as the files are the same: following links, as resolvers do. */
export async function filesStamp(files: ResolverFiles): Promise<string> {
  const stamps = await Promise.all(
    [files.resolvConf, files.resolved].map(async (path) => {
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      return found === undefined ? "none" : `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`;
    }),
  );
  return stamps.join(" ");
}

async function read(path: string): Promise<ResolvConf | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseResolvConf(text);
}
