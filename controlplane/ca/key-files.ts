import type { KeyObject } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { MeshError } from "../../mesh/errors.ts";
import { privateDirectory, readPrivateFile, writePrivateFile } from "./private-files.ts";
import { isSealed, openKey, sealKey } from "./sealed-key.ts";

/** What is not known to the database yet. */
const NEW = ".new";

/**
 * The keys of the authorities, one file each, named by the key's identifier. A new one is staged before the database knows
 * its authority and settled afterwards: whenever the process ends in between, the next start knows which it was.
 */
export class KeyFiles {
  readonly #directory: string;
  readonly #passphrase: string | undefined;

  constructor(directory: string, passphrase: string | undefined) {
    this.#directory = directory;
    this.#passphrase = passphrase;
  }

  /**
   * Makes the folder ready for these authorities. Throws `config.invalid` when others may enter it, and when it has keys
   * although the database knows no authority: then a new CA would take the place of one that hosts still trust.
   */
  async open(known: readonly string[]): Promise<void> {
    await privateDirectory(this.#directory);
    for (const name of await readdir(this.#directory)) {
      if (!name.endsWith(NEW)) continue;
      if (known.includes(name.slice(0, -`.key${NEW}`.length))) await this.#settle(name.slice(0, -NEW.length));
      else await rm(join(this.#directory, name));
    }
    const keys = (await readdir(this.#directory)).filter((name) => name.endsWith(".key"));
    if (known.length > 0 || keys.length === 0) return;
    throw new MeshError(
      "config.invalid",
      `open the CA: ${this.#directory} has keys that the database does not know`,
      {
        hint: "restore lateen.db from the same backup; to start with a new CA, which every agent must join again, remove the folder",
      },
    );
  }

  /** Throws `config.invalid` when it is missing, readable by others, or cannot be opened. */
  async read(id: string): Promise<KeyObject> {
    const path = this.#path(id);
    const text = await readPrivateFile(path);
    if (text === undefined) {
      throw new MeshError("config.invalid", `open the CA: ${path} is missing`, {
        hint: "restore it from the backup",
      });
    }
    const key = openKey(text, this.#passphrase, path);
    // From the first start with a passphrase on, the disk holds no plain key; copies of before are the operator's.
    if (this.#passphrase !== undefined && !isSealed(text)) {
      await writePrivateFile(path, sealKey(text, this.#passphrase));
    }
    return key;
  }

  /** The key, which is made when it is not there: of what is not worth stopping for. */
  async readOrMake(id: string, make: () => string): Promise<KeyObject> {
    if ((await readPrivateFile(this.#path(id))) === undefined) {
      await this.stage(id, make());
      await this.settle(id);
    }
    return this.read(id);
  }

  async stage(id: string, keyPem: string): Promise<void> {
    await writePrivateFile(`${this.#path(id)}${NEW}`, sealKey(keyPem, this.#passphrase));
  }

  async settle(id: string): Promise<void> {
    await this.#settle(`${id}.key`);
  }

  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  async #settle(name: string): Promise<void> {
    await rename(join(this.#directory, `${name}${NEW}`), join(this.#directory, name));
  }

  #path(id: string): string {
    return join(this.#directory, `${id}.key`);
  }
}
