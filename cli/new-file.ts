import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { MeshError, messageOf } from "../mesh/errors.ts";

/** Writes a configuration file that was not there before; throws `config.exists` when it was, and leaves it alone. */
export function writeNewConfig(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    writeFileSync(path, text, { flag: "wx", mode: 0o640 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new MeshError("config.exists", `${path} exists and is left as it is`, {
        hint: `edit it, or move it away: mv ${path} ${path}.old`,
      });
    }
    throw new MeshError("config.invalid", `write ${path}: ${messageOf(error)}`, {
      cause: error,
      hint: "run it as root, or give another directory with --dir",
    });
  }
}
