/**
 * Puts what `make bench-proxy` measures with and against into `.tools/bench/`: haproxy, nginx, wrk and h2load of this
 * machine's Debian release, with the libraries that they need. Nothing is installed on the machine.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { unpackDebianPackages } from "./debian-package.ts";
import { benchToolsFolder } from "./find-bench-tool.ts";
import { toolsFolder } from "./find-tool.ts";

const PACKAGES = [
  "haproxy",
  "liblua5.3-0",
  "libopentracing-c-wrapper0",
  "libopentracing1",
  "nginx",
  "nginx-common",
  "wrk",
  "libluajit-5.1-2",
  "libluajit-5.1-common",
  "nghttp2-client",
  "libnghttp2-14",
  "libev4",
  "libjemalloc2",
  "libc-ares2",
] as const;

if (!existsSync(benchToolsFolder)) {
  const release = /^VERSION_CODENAME=(\S+)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1];
  if (release === undefined) throw new Error("/etc/os-release names no release");
  console.log("haproxy, nginx, wrk, h2load   fetching …");
  const work = await mkdtemp(join(toolsFolder, ".fetch-bench-"));
  try {
    await rename(await unpackDebianPackages(PACKAGES, work, release), benchToolsFolder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
