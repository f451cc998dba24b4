import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { MeshError, messageOf } from "../mesh/errors.ts";

/**
 * Writes a configuration file that was not there before, as a whole or not at all; throws `config.exists` when it was, and
 * leaves it alone.
 */
export function writeNewConfig(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    throughTemporary(path, text, 0o640, linkSync);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new MeshError("config.exists", `${path} exists and is left as it is`, {
        hint: `edit it, or move it away: mv ${path} ${path}.old`,
      });
    }
    throw unwritable("config.invalid", path, error, "run it as root, or give another directory with --dir");
  }
}

/** Writes a file, or what is there anew, as a whole or not at all: a full disk leaves what was there. */
export function replaceFile(path: string, text: string, mode: number): void {
  try {
    throughTemporary(path, text, mode, renameSync);
  } catch (error) {
    throw unwritable("cli.host", path, error, "run it as root");
  }
}

function throughTemporary(
  path: string,
  text: string,
  mode: number,
  place: (from: string, to: string) => void,
): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    writeFileSync(temporary, text, { flag: "wx", mode, flush: true });
    place(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function unwritable(
  code: "cli.host" | "config.invalid",
  path: string,
  cause: unknown,
  otherwise: string,
): MeshError {
  const full = ["ENOSPC", "EDQUOT"].includes((cause as NodeJS.ErrnoException).code ?? "");
  return new MeshError(code, `write ${path}: ${messageOf(cause)}`, {
    cause,
    hint: full ? "free some disk space, and run it again" : otherwise,
  });
}
