import { execFile } from "node:child_process";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { unpackDebianPackages } from "./debian-package.ts";

/** nft, and the libraries that it needs beside those of every Debian. */
const PACKAGES = [
  "nftables",
  "libnftables1",
  "libnftnl11",
  "libmnl0",
  "libxtables12",
  "libjansson4",
  "libgmp10",
  "libedit2",
  "libbsd0",
  "libmd0",
] as const;

const run = promisify(execFile);

/** Where its libraries are, beside the script `nft` that runs it with them. */
export const NFT_FOLDER = "nftables";

/** The newest first: bullseye's tells no control groups apart, and bookworm's wants a newer libc than some machines have. */
const RELEASES = ["bookworm", "bullseye"] as const;

/** Fetches Debian's nftables with its libraries into `work`; returns the path of the script. */
export async function fetchNft(work: string): Promise<string> {
  const failures: unknown[] = [];
  for (const release of RELEASES) {
    try {
      const folder = join(work, release);
      await mkdir(folder);
      await rm(join(work, NFT_FOLDER), { recursive: true, force: true });
      await rename(await unpackDebianPackages(PACKAGES, folder, release), join(work, NFT_FOLDER));
      const script = await writeScript(work);
      await run(script, ["--version"]);
      return script;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, `no nft runs here: ${failures.map(String).join("; ")}`);
}

async function writeScript(work: string): Promise<string> {
  const script = join(work, "nft");
  await writeFile(
    script,
    `#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/${NFT_FOLDER}
for libraries in "$root"/usr/lib/*-linux-gnu*; do :; done
LD_LIBRARY_PATH=$libraries exec "$root/usr/sbin/nft" "$@"
`,
    { mode: 0o755 },
  );
  return script;
}
