import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackDebianPackages } from "./debian-package.ts";

/** Where its PKCS#11 module `libsofthsm2.so` is, beside the binary `softhsm2-util`. */
export const SOFTHSM_FOLDER = "softhsm";

/**
 * Fetches SoftHSM, a PKCS#11 token in software, into `work`; returns the path of the binary. It is of this machine's own
 * release: the module is loaded with the OpenSSL that is here.
 */
export async function fetchSofthsm(work: string): Promise<string> {
  const release = /^VERSION_CODENAME=(\S+)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1];
  if (release === undefined) throw new Error("/etc/os-release names no release");
  const root = await unpackDebianPackages(["softhsm2", "libsofthsm2"], work, release);
  await mkdir(join(work, SOFTHSM_FOLDER));
  // A link there, to where it is.
  await copyFile(join(root, "usr/lib/softhsm/libsofthsm2.so"), join(work, SOFTHSM_FOLDER, "libsofthsm2.so"));
  return join(root, "usr/bin/softhsm2-util");
}
