import { chmodSync, chownSync, closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { MeshError, messageOf } from "../../../mesh/errors.ts";

/** Puts a file where another may be, as a whole or not at all, also over a power cut. Throws `cli.host`. */
export function writeWhole(
  path: string,
  bytes: Buffer,
  { mode, uid, gid }: { readonly mode: number; readonly uid?: number; readonly gid?: number },
): void {
  const beside = `${path}.lateen-tmp`;
  try {
    const file = openSync(beside, "w", mode);
    try {
      writeSync(file, bytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    chmodSync(beside, mode);
    if (uid !== undefined && gid !== undefined) chownSync(beside, uid, gid);
    renameSync(beside, path);
    syncDirectory(dirname(path));
  } catch (cause) {
    rmSync(beside, { force: true });
    throw new MeshError("cli.host", `write ${path}: ${messageOf(cause)}`, { cause, hint: "run it as root" });
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
