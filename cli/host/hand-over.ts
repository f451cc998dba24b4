import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  openSync,
  readdirSync,
} from "node:fs";

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Makes a file or directory that only root writes readable for a group. */
export function letGroupRead(path: string, gid: number, mode: number): void {
  chownSync(path, 0, gid);
  chmodSync(path, mode);
}

/**
 * Gives what this user has made in a directory, and the directory, to another user. That one may have been in there before
 * and be at work: every step goes through an open directory and follows no link, and a file that has another name
 * elsewhere stays whose it is.
 */
export function giveAway(directory: string, ids: Ids): void {
  const descriptor = openAsItIs(directory);
  if (descriptor === undefined) return;
  try {
    const stat = fstatSync(descriptor);
    const isMine = stat.uid === process.getuid?.();
    if (isMine && (stat.isDirectory() || (stat.isFile() && stat.nlink === 1)))
      fchownSync(descriptor, ids.uid, ids.gid);
    if (!stat.isDirectory()) return;
    // The directory that was opened, whatever its name leads to by now (proc_pid_fd(5)).
    const opened = `/proc/self/fd/${descriptor}`;
    for (const name of readdirSync(opened)) giveAway(`${opened}/${name}`, ids);
  } finally {
    closeSync(descriptor);
  }
}

/** Undefined for what is no plain file or directory, or gone. */
function openAsItIs(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ELOOP", "ENOENT", "ENXIO"].includes(code)) return undefined;
    throw error;
  }
}
