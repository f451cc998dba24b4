import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { dropInDirectory, type HookFacts, RESOLV_CONF } from "./hook.ts";

/** Looks at a host. `root` is put before every path, for tests; empty otherwise. */
export function hookFacts(root = ""): HookFacts {
  const has = (kind: "dnsmasq" | "consul"): boolean => existsSync(join(root, dropInDirectory(kind)));
  return {
    resolved: existsSync(`${root}/run/systemd/resolve/stub-resolv.conf`),
    dnsmasq: has("dnsmasq") && pidFileOf(root, ["/run/dnsmasq/dnsmasq.pid", "/run/dnsmasq.pid"]),
    consul: has("consul"),
    resolvConf: {
      link: linkAt(root + RESOLV_CONF),
      isMount: isMount(root + RESOLV_CONF),
      text: existsSync(root + RESOLV_CONF) ? readFileSync(root + RESOLV_CONF, "utf8") : undefined,
    },
  };
}

function pidFileOf(root: string, paths: readonly string[]): boolean {
  return paths.some((path) => existsSync(root + path));
}

function linkAt(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined;
}

/** A file on another file system than its directory: it cannot be replaced. */
function isMount(path: string): boolean {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined || file.isSymbolicLink()) return false;
  if (file.dev !== statSync(join(path, "..")).dev) return true;
  return mountPoints().has(path);
}

/** proc_pid_mountinfo(5): the fifth field. */
function mountPoints(): ReadonlySet<string> {
  try {
    const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    return new Set(lines.map((line) => line.split(" ")[4] ?? ""));
  } catch {
    return new Set();
  }
}
