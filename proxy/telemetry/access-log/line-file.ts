import { type FileHandle, open, stat } from "node:fs/promises";

/** Lines that wait for a disk that is slow, in characters. What comes beyond is dropped and counted. */
const MOST_WAITING = 4 * 1024 * 1024;
/** So much is written at once, without waiting for the clock. */
const WORTH_WRITING = 64 * 1024;

/**
 * A log that is written in batches. A file that is gone from its place, as after a rotation, is opened anew with the next
 * batch.
 */
export class LineFile {
  readonly #path: string;
  readonly #onProblem: (error: unknown) => void;
  #waiting: string[] = [];
  #length = 0;
  #file: FileHandle | undefined;
  #writing: Promise<void> | undefined;
  written = 0;
  dropped = 0;

  constructor(path: string, onProblem: (error: unknown) => void) {
    this.#path = path;
    this.#onProblem = onProblem;
  }

  write(line: string): void {
    if (this.#length + line.length > MOST_WAITING) {
      this.dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#length += line.length;
    if (this.#length >= WORTH_WRITING) void this.flush();
  }

  /** Writes what waits; resolves when all that waited at the call is written or lost. Never rejects. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#waiting.length === 0) return;
    this.#writing = this.#writeAll();
    await this.#writing;
    this.#writing = undefined;
  }

  /** Writes the rest, and lets go of the file. */
  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  /** The next batch goes to what is at the path then. */
  async reopen(): Promise<void> {
    await this.close();
  }

  async #writeAll(): Promise<void> {
    const lines = this.#waiting;
    this.#waiting = [];
    this.#length = 0;
    try {
      const file = await this.#opened();
      await file.appendFile(lines.join(""));
      this.written += lines.length;
    } catch (error) {
      this.dropped += lines.length;
      await this.#file?.close().catch(() => undefined);
      this.#file = undefined;
      this.#onProblem(error);
    }
  }

  async #opened(): Promise<FileHandle> {
    if (this.#file !== undefined && (await this.#isThere(this.#file))) return this.#file;
    await this.#file?.close();
    this.#file = await open(this.#path, "a", 0o640);
    return this.#file;
  }

  async #isThere(file: FileHandle): Promise<boolean> {
    const [there, ours] = await Promise.all([stat(this.#path).catch(() => undefined), file.stat()]);
    return there?.ino === ours.ino && there.dev === ours.dev;
  }
}

/** A log on one of the process's own streams. */
export class LineStream {
  readonly #write: (text: string) => void;
  #waiting: string[] = [];
  readonly dropped = 0;
  written = 0;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  write(line: string): void {
    if (this.#waiting.push(line) === 1) setImmediate(() => this.#flush());
  }

  flush(): Promise<void> {
    this.#flush();
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.flush();
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    this.written += this.#waiting.length;
    this.#write(this.#waiting.join(""));
    this.#waiting = [];
  }
}
