import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { MeshError } from "../../mesh/errors.ts";

/**
 * Reads the admin token, or makes one at the first start: 256 random bits, in a file that only its owner reads. A file
 * that others can read is refused: it is no secret any more.
 */
export function loadOrCreateAdminToken(path: string): string {
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing === undefined) return createToken(path);
  if (!existing.isFile() || (existing.mode & 0o077) !== 0) {
    throw new MeshError(
      "config.invalid",
      `the admin token ${path} is not a file that only its owner can read`,
      {
        hint: `remove it and restart: the server makes a new one`,
      },
    );
  }
  const token = readFileSync(path, "utf8").trim();
  if (token.length < 32) {
    throw new MeshError("config.invalid", `the admin token in ${path} is shorter than 32 characters`, {
      hint: "remove it and restart: the server makes a new one",
    });
  }
  return token;
}

function createToken(path: string): string {
  const token = randomBytes(32).toString("base64url");
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", 0o600);
  try {
    writeSync(file, `${token}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  return token;
}
