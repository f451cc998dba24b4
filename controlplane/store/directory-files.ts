import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { messageOf } from "../../mesh/errors.ts";
import { LARGEST_INPUT_BYTES } from "../../mesh/model/yaml-documents.ts";

const EXTENSIONS: ReadonlySet<string> = new Set([".yaml", ".yml", ".json"]);
const MOST_FILES = 1000;

/** What tells one state of a file or directory from another without reading it. */
export type Signature = string;

export interface DirectoryListing {
  /** Device and inode: another directory under the same path has another one. */
  readonly identity: Signature;
  /** Nothing at all in it, not even a file that is not ours: what an unmounted file system looks like. */
  readonly empty: boolean;
  /** Paths of the configuration files, sorted. */
  readonly files: readonly string[];
}

/** Lists the configuration files. Throws when the directory is not there or cannot be read. */
export async function listDirectory(directory: string): Promise<DirectoryListing> {
  const { dev, ino } = await stat(directory, { bigint: true });
  const names = await readdir(directory);
  const files = names.filter((name) => !name.startsWith(".") && EXTENSIONS.has(extname(name))).sort();
  if (files.length > MOST_FILES) throw new Error(`it has more than ${MOST_FILES} files`);
  return {
    identity: `${dev}:${ino}`,
    empty: names.length === 0,
    files: files.map((name) => join(directory, name)),
  };
}

export type FileContent =
  | { readonly kind: "text"; readonly signature: Signature; readonly text: string }
  | { readonly kind: "unchanged" }
  | { readonly kind: "gone" }
  | { readonly kind: "unreadable"; readonly reason: string };

/** Reads a file unless it still has the signature. Never throws; what is no regular file is not opened. */
export async function readChanged(path: string, known: Signature | undefined): Promise<FileContent> {
  try {
    const before = await stat(path, { bigint: true });
    if (!before.isFile()) return { kind: "unreadable", reason: "is not a regular file" };
    const signature = `${before.dev}:${before.ino}:${before.size}:${before.mtimeNs}`;
    if (signature === known) return { kind: "unchanged" };
    if (before.size > LARGEST_INPUT_BYTES)
      return { kind: "unreadable", reason: `is larger than ${LARGEST_INPUT_BYTES / 1024} KiB` };
    return { kind: "text", signature, text: await readFile(path, "utf8") };
  } catch (error) {
    if (isMissing(error)) return { kind: "gone" };
    return { kind: "unreadable", reason: messageOf(error) };
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
