import { constants, type FileHandle, open, stat } from "node:fs/promises";

/** A pipe without a reader is an error at once, where it would otherwise hold a thread until one comes. */
const HOW = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
const MODE = 0o640;

/** A file that grows. One that is gone from its place, as after a rotation, is opened anew with the next text. */
export class AppendFile {
  readonly #path: string;
  #file: FileHandle | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Rejects when the text, or a part of it, is not written. */
  async append(text: string): Promise<void> {
    try {
      const file = await this.#opened();
      await file.appendFile(text);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** What comes after goes to what is at the path then. Never rejects. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }

  async #opened(): Promise<FileHandle> {
    if (this.#file !== undefined && (await this.#isThere(this.#file))) return this.#file;
    await this.close();
    this.#file = await open(this.#path, HOW, MODE);
    return this.#file;
  }

  async #isThere(file: FileHandle): Promise<boolean> {
    const [there, ours] = await Promise.all([stat(this.#path).catch(() => undefined), file.stat()]);
    return there?.ino === ours.ino && there.dev === ours.dev;
  }
}
