import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MeshError, messageOf } from "../../mesh/errors.ts";

/** Larger than anything that is kept; a file that grew beyond it is not ours. */
const LARGEST_FILE_BYTES = 64 << 20;

/**
 * Makes a directory that only this user can enter. Throws `agent.state` when it exists and others can enter it, when it
 * is another user's, or is no directory: what is kept there would not be a secret any more.
 */
export async function ensurePrivateDir(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new MeshError("agent.state", `make the directory ${path}: ${messageOf(error)}`, {
      cause: error,
      hint: `make it with: install -d -m 0700 -o "$(id -un)" ${path}`,
    });
  }
  const stat = await lstat(path);
  if (!stat.isDirectory()) throw new MeshError("agent.state", `use ${path}: it is not a directory`);
  assertPrivate(path, stat, `chmod 0700 ${path}`);
}

/**
 * Replaces a file as a whole, readable by this user alone. After it returns, the new content survives a power cut;
 * before, the old one does (a full disk leaves the old file in place). Throws `agent.state`.
 */
export async function writePrivate(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(8).toString("hex")}.tmp`);
  try {
    const file = await open(
      temporary,
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
      0o600,
    );
    await closeAfter(file, async () => {
      await file.writeFile(content);
      await file.sync();
    });
    await rename(temporary, path);
    const directory = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    await closeAfter(directory, () => directory.sync());
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new MeshError("agent.state", `write ${path}: ${messageOf(error)}`, {
      cause: error,
      hint: "free some disk space, or look at the owner and the mode of the directory",
    });
  }
}

/**
 * Writes at the end of a private file that has `size` bytes. After it returns, the content survives a power cut; before,
 * all, a part or nothing of it is there. Throws `agent.state`, also for a file that is not as it was left: then it is to be
 * written anew.
 */
export async function appendPrivate(path: string, size: number, content: string | Uint8Array): Promise<void> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
    await closeAfter(file, async () => {
      const stat = await file.stat();
      assertPrivate(path, stat, `chmod 0600 ${path}`);
      if (stat.size !== size) throw new Error(`it has ${stat.size} bytes and not ${size}`);
      await file.appendFile(content);
      await file.datasync();
    });
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw new MeshError("agent.state", `append to ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Of a write that a kill or a power cut ended: see `writePrivate`. */
const UNFINISHED = /^\.[0-9a-f]{16}\.tmp$/;

/**
 * Removes what writes left unfinished in a directory and below it: nobody reads it, and there may be keys in it that were
 * replaced long ago. For the start, when nothing is being written.
 */
export async function removeUnfinished(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && UNFINISHED.test(entry.name))
      await rm(join(entry.parentPath, entry.name), { force: true });
  }
}

/** Reads a private file; undefined when there is none. Throws `agent.state` when others could have read or changed it. */
export async function readPrivate(
  path: string,
  largestBytes: number = LARGEST_FILE_BYTES,
): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MeshError("agent.state", `read ${path}: ${messageOf(error)}`, { cause: error });
  }
  return await closeAfter(file, async () => {
    const stat = await file.stat();
    if (!stat.isFile()) throw new MeshError("agent.state", `read ${path}: it is not a plain file`);
    assertPrivate(path, stat, `chmod 0600 ${path}`);
    if (stat.size > largestBytes) throw new MeshError("agent.state", `read ${path}: it is too large`);
    return await file.readFile("utf8");
  });
}

/** Puts a file that cannot be used aside, under a name that says when, so that it can be looked at. */
export async function quarantine(path: string, now: number): Promise<string> {
  const aside = `${path}.corrupt-${now}`;
  await rename(path, aside);
  return aside;
}

function assertPrivate(path: string, stat: { mode: number; uid: number }, fix: string): void {
  if (stat.uid !== process.getuid?.()) {
    throw new MeshError("agent.state", `use ${path}: it belongs to user ${stat.uid}, not to this one`, {
      hint: `chown it, or run as its owner`,
    });
  }
  if ((stat.mode & 0o077) !== 0) {
    throw new MeshError(
      "agent.state",
      `use ${path}: other users can reach it (mode ${(stat.mode & 0o777).toString(8)})`,
      { hint: `${fix}, and join again if you cannot tell who has read the keys in it` },
    );
  }
}

async function closeAfter<T>(file: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await file.close();
  }
}
