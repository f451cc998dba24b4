import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
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

/** Where its libraries are, beside the script `nft` that runs it with them. */
export const NFT_FOLDER = "nftables";

/** Fetches Debian's nftables with its libraries into `work`; returns the path of the script. */
export async function fetchNft(work: string): Promise<string> {
  await rename(await unpackDebianPackages(PACKAGES, work), join(work, NFT_FOLDER));
  const script = join(work, "nft");
  await writeFile(
    script,
    `#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/${NFT_FOLDER}
for libraries in "$root"/usr/lib/*-linux-gnu*; do :; done
LD_LIBRARY_PATH=$libraries exec "$root/usr/sbin/nft" "$@"
`,
  );
  return script;
}
