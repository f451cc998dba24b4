import { constants } from "node:fs";
import { type FileHandle, open, watch } from "node:fs/promises";
import { MeshError } from "../../mesh/errors.ts";

/** A log file is emptied once it was read and has grown to this. */
const LARGEST_LOG_BYTES = 4 << 20;
const LONGEST_LINE = 8192;
const CHUNK_BYTES = 64 << 10;

/** Opens a log file for a process to write to, and makes it if it is not there. Throws `agent.state`. */
export async function openLog(path: string): Promise<FileHandle> {
  const flags = constants.O_CREAT | constants.O_APPEND | constants.O_WRONLY | constants.O_NOFOLLOW;
  try {
    return await open(path, flags, 0o600);
  } catch (cause) {
    throw new MeshError("agent.state", `open ${path}`, { cause });
  }
}

/**
 * Hands on each line that is written to a file from now on, until the signal is aborted; then reads what is left and
 * returns. The file must exist and be written in append mode: it is emptied when it has grown large.
 */
export async function tailLines(
  path: string,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(path, "r+");
  try {
    const tail = new Tail(file, (await file.stat()).size, onLine);
    try {
      for await (const _ of watch(path, { signal })) await tail.read();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    await tail.read();
  } finally {
    await file.close();
  }
}

class Tail {
  readonly #file: FileHandle;
  readonly #onLine: (line: string) => void;
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #position: number;
  #rest = "";

  constructor(file: FileHandle, position: number, onLine: (line: string) => void) {
    this.#file = file;
    this.#position = position;
    this.#onLine = onLine;
  }

  async read(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size < this.#position) this.#position = 0;
    for (;;) {
      const { bytesRead } = await this.#file.read(this.#chunk, 0, CHUNK_BYTES, this.#position);
      if (bytesRead === 0) break;
      this.#position += bytesRead;
      this.#take(this.#chunk.toString("utf8", 0, bytesRead));
    }
    if (this.#position < LARGEST_LOG_BYTES) return;
    await this.#file.truncate(0);
    this.#position = 0;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) if (line !== "") this.#onLine(line.slice(0, LONGEST_LINE));
  }
}
