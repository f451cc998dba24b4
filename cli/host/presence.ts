import { statSync } from "node:fs";
import { MeshError, messageOf } from "../../mesh/errors.ts";

/** What a user who is not root can do about what only root and the agent may look at. */
export const AS_ROOT =
  "run it as root: the configuration is read by root and the group lateen, the socket by the agent's user";

/** Whether there is something at a path. Throws `cli.host` when this user cannot tell. */
export function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw new MeshError("cli.host", `look for ${path}: ${messageOf(cause)}`, { cause, hint: AS_ROOT });
  }
}

/** Whether something failed for want of a permission, by itself or by its causes. */
export function isDenied(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if (["EACCES", "EPERM"].includes((at as NodeJS.ErrnoException).code ?? "")) return true;
  return false;
}
