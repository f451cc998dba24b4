import { join } from "node:path";
import { unpackDebianPackages } from "./debian-package.ts";

/** Fetches Debian's package `consul` into `work`; returns the path of the binary. */
export async function fetchConsul(work: string): Promise<string> {
  return join(await unpackDebianPackages(["consul"], work), "usr/bin/consul");
}
