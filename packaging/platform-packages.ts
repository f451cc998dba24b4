import { execFile } from "node:child_process";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Architecture } from "./architecture.ts";

/**
 * The packages of another processor, Node among them, at the versions and checksums of the lockfile; for this machine's own
 * those that are here. Returns their `node_modules`.
 */
export async function platformPackages({ node: cpu }: Architecture, folder: string): Promise<string> {
  if (cpu === process.arch) return "node_modules";
  await mkdir(folder, { recursive: true });
  for (const file of ["package.json", "package-lock.json", ".npmrc"]) await cp(file, join(folder, file));
  const flags = ["--os=linux", `--cpu=${cpu}`, "--libc=glibc", "--omit=dev", "--ignore-scripts", "--no-save"];
  await promisify(execFile)("npm", ["install", ...flags, "--loglevel=error", "--no-audit", "--no-fund"], {
    cwd: folder,
  });
  return join(folder, "node_modules");
}
