import { existsSync, readFileSync } from "node:fs";
import { lstat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "../../mesh/errors.ts";
import { readRecords } from "../dataplane/stale-processes.ts";
import { libc } from "../host/libc.ts";
import { hasIpv6, localAddresses } from "../host/local-addresses.ts";
import { findHolder, type ListeningSocket } from "../registration/listening-sockets.ts";
import type { HostCheck } from "./check-host.ts";
import type { KernelFacts, StateDirectoryFacts, TakenPort } from "./place-findings.ts";

/** Bit of `CapEff` in /proc/self/status (capabilities(7)). */
const CAP_NET_BIND_SERVICE = 10n;

/** What an agent knows of itself, and a look at the host does not tell. */
type OwnFacts = Pick<HostCheck, "services" | "certificates" | "captures" | "dns" | "vipPorts">;

/** What an agent knows of its own host. */
export async function hostFacts(runDir: string, own: OwnFacts): Promise<Omit<HostCheck, "config" | "now">> {
  const records = [...(await readRecords(runDir)).values()];
  const ownPids = new Set([process.pid, ...records.map(({ pid }) => pid)]);
  return { ...own, ownPids, uid: process.getuid?.() };
}

export function hostAddresses(): ReadonlySet<string> {
  return new Set(localAddresses().map(({ address }) => address));
}

/** The smallest port that this process may bind. */
export function firstFreePort(): number {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readText("/proc/self/status"))?.[1] ?? "0";
  if (((BigInt(`0x${effective}`) >> CAP_NET_BIND_SERVICE) & 1n) === 1n) return 0;
  return Number(readText("/proc/sys/net/ipv4/ip_unprivileged_port_start").trim() || 1024);
}

export function kernelFacts(): KernelFacts {
  return {
    libcProblem: libcProblem(),
    hasIpv6: hasIpv6(),
    hasNetfilter: existsSync("/proc/self/net/netfilter"),
  };
}

function libcProblem(): string | undefined {
  try {
    libc();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

export async function stateDirectory(path: string, uid: number | undefined): Promise<StateDirectoryFacts> {
  const stat = await lstat(path).catch(() => undefined);
  const found = stat && { mode: stat.mode, uid: stat.uid, isDirectory: stat.isDirectory() };
  return { path, found, uid };
}

/** What is free where a directory is, or will be. Infinite where nobody can tell. */
export async function freeBytes(path: string): Promise<number> {
  for (let at = path; ; at = dirname(at)) {
    const stat = await statfs(at).catch(() => undefined);
    if (stat !== undefined) return stat.bavail * stat.bsize;
    if (at === dirname(at)) return Number.POSITIVE_INFINITY;
  }
}

/** Who has listening sockets; those of Lateen's own programs are left out. */
export function takenByOthers(
  sockets: readonly ListeningSocket[],
  own: ReadonlySet<number>,
): readonly TakenPort[] {
  return sockets.flatMap(({ address, port, inode }) => {
    const holder = findHolder(inode);
    if (holder === undefined) return [{ address, port, holder: "a process of another user" }];
    if (own.has(holder.pid) || isLateen(holder.pid)) return [];
    return [{ address, port, holder: `process ${holder.pid} (${holder.name})` }];
  });
}

function isLateen(pid: number): boolean {
  return /(^|[/\0])lateen(\.(m?js|ts))?\0/.test(readText(`/proc/${pid}/cmdline`));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
