import { chmodSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MeshError } from "../../mesh/errors.ts";

const SQLITE_BUSY = 5;

/**
 * Makes a state directory this server's until it is disposed of or the process ends, however that happens: the lock is
 * the kernel's (on an sqlite file that holds nothing), so a killed server leaves none behind. Placements and bans are
 * held in memory and written through: two servers on one directory would each certify from what the other has not told
 * it. Throws `config.invalid` when another server holds it, `store.failed` when the file cannot be had.
 */
export function lockDirectory(directory: string): Disposable {
  const path = join(directory, "server.lock");
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { timeout: 0 });
    chmodSync(path, 0o600);
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    lock?.close();
    if ((cause as { readonly errcode?: unknown }).errcode !== SQLITE_BUSY) {
      throw new MeshError("store.failed", `lock ${directory}`, { cause, hint: "look at its owner and mode" });
    }
    throw new MeshError("config.invalid", `use ${directory}: another server runs on it`, {
      cause,
      hint: "stop that one, or give this one a stateDir (and ports) of its own",
    });
  }
  const held = lock;
  return { [Symbol.dispose]: () => held.close() };
}
