import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MeshError } from "../../mesh/errors.ts";

/** Anyone but the owner. */
const OTHERS = 0o077;

/** Makes a directory that only its owner may enter; an existing one must be so already. */
export async function privateDirectory(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new MeshError("config.invalid", `make the directory ${path}`, {
      cause,
      hint: "give another one, or look at the owner and the mode of the one above it",
    });
  });
  // A umask could have made it narrower than that and unusable.
  if (made !== undefined) await chmod(path, 0o700);
  await refuseOthersAccess(path, "700");
}

/** Whole or not at all, readable by the owner alone, on disk when this returns. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(8).toString("hex")}.tmp`);
  try {
    await using file = await open(temporary, "wx", 0o600);
    await file.writeFile(text);
    await file.sync();
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new MeshError("store.failed", `write ${path}`, {
      cause,
      hint: "check the free space and the owner",
    });
  }
  await using directory = await open(dirname(path), "r");
  await directory.sync();
}

/** Throws `config.invalid` when there is a file at the path that others than its owner may access. */
export async function assertPrivateFile(path: string): Promise<void> {
  await refuseOthersAccess(path, "600");
}

/** The file's text; undefined when there is none. Throws `config.invalid` when others than its owner may read it. */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  if (!(await refuseOthersAccess(path, "600"))) return undefined;
  return readFile(path, "utf8");
}

/** False when there is nothing at the path. */
async function refuseOthersAccess(path: string, mode: string): Promise<boolean> {
  const found = await stat(path).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MeshError("config.invalid", `read ${path}`, { cause, hint: "check who owns it" });
  });
  if (found === undefined) return false;
  const user = process.geteuid?.() ?? found.uid;
  if (found.uid !== user) {
    throw new MeshError("config.invalid", `use ${path}, which belongs to user ${found.uid}`, {
      hint: `chown ${user} ${path}`,
    });
  }
  if ((found.mode & OTHERS) !== 0) {
    throw new MeshError("config.invalid", `use ${path}, which others than its owner may access`, {
      hint: `chmod ${mode} ${path}, and consider what it holds as known to others until then`,
    });
  }
  return true;
}
