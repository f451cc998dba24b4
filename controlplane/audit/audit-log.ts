import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { assertPrivateFile, privateDirectory } from "../ca/private-files.ts";
import { auditFileName, auditFiles, findEnd } from "./audit-files.ts";
import { type AuditEvent, type AuditRecord, type ChainHead, chained, EMPTY_CHAIN } from "./audit-record.ts";
import { readTail } from "./read-tail.ts";

/** Where what happens is written down. */
export interface AuditLog {
  /** Resolves once the event is on disk. Throws `audit.unavailable` when it cannot be: what it is about must not happen then. */
  record(event: AuditEvent): Promise<void>;
  /** Writes the event down within a moment, or counts it as lost: for what must go on with a full disk. */
  note(event: AuditEvent): void;
}

export interface AuditOptions {
  /** 0700; made when it is not there. */
  readonly directory: string;
  readonly clock: Pick<Clock, "now">;
  readonly logger: Logger;
  /** A file that has grown beyond this is followed by a new one. */
  readonly fileBytes?: number;
  /** Older files are removed. */
  readonly keepFiles?: number;
}

const FILE_BYTES = 64 * 1024 * 1024;
const KEEP_FILES = 16;
/** Beyond this many that wait for the disk, notes are lost. */
const MOST_WAITING = 10_000;

interface Waiting {
  readonly event: AuditEvent;
  readonly atMs: number;
  /** Undefined for a note. */
  readonly settled: PromiseWithResolvers<void> | undefined;
}

interface CurrentFile {
  readonly handle: FileHandle;
  /** Of whole records. */
  bytes: number;
  /** Something else may stand behind them. */
  torn: boolean;
}

/**
 * An append-only log of JSON lines, each with the hash of the one before (`lateen audit verify`). Whatever waits is
 * written and synchronised together, so that a burst costs one synchronisation. A write that fails leaves nothing of itself behind.
 */
export class FileAuditLog implements AuditLog, AsyncDisposable {
  readonly #options: AuditOptions;
  readonly #waiting: Waiting[] = [];
  #file: CurrentFile | undefined;
  #head: ChainHead;
  #writing: Promise<void> | undefined;
  /** Since the last record that could be written. */
  #lost = 0;
  #lostEver = 0;

  private constructor(options: AuditOptions, head: ChainHead) {
    this.#options = options;
    this.#head = head;
  }

  /** Throws `config.invalid` or `store.failed` for a log that cannot be gone on with. */
  static async open(options: AuditOptions): Promise<FileAuditLog> {
    const { directory, logger } = options;
    await privateDirectory(directory);
    for (const file of auditFiles(directory)) await assertPrivateFile(file);
    const last = auditFiles(directory).at(-1);
    const end = last === undefined ? { head: EMPTY_CHAIN, cutOff: 0 } : findEnd(last);
    const head = end.head.seq === 0 && last !== undefined ? headBefore(directory) : end.head;
    const log = new FileAuditLog(options, head);
    logger.info("audit log opened", { seq: head.seq, hash: head.hash });
    const { cutOff } = end;
    if (cutOff > 0)
      log.note({ action: "audit.recovered", outcome: "done", actor: "server", details: { cutOff } });
    return log;
  }

  /** The newest record's number and hash: kept elsewhere, they prove later that nothing was cut off. */
  get head(): ChainHead {
    return this.#head;
  }

  /** Notes that could not be written since the start. */
  get lost(): number {
    return this.#lostEver;
  }

  /** The newest records, oldest first. */
  async newest(count: number): Promise<readonly AuditRecord[]> {
    await this.#writing;
    return await readTail(this.#options.directory, count);
  }

  async record(event: AuditEvent): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#enqueue({ event, atMs: this.#options.clock.now(), settled });
    await settled.promise;
  }

  note(event: AuditEvent): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#countLost(1);
      return;
    }
    this.#enqueue({ event, atMs: this.#options.clock.now(), settled: undefined });
  }

  /** Writes what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  #enqueue(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    // What comes in the same turn goes out together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        await this.#write(batch);
        for (const { settled } of batch) settled?.resolve();
      } catch (cause) {
        this.#fail(batch, cause);
      }
    }
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const lines: string[] = [];
    let head = this.#head;
    const add = (event: AuditEvent, atMs: number): void => {
      const next = chained(head, event, atMs);
      lines.push(next.line);
      head = next.head;
    };
    const lost = this.#lost;
    if (lost > 0) {
      add({ action: "audit.gap", outcome: "done", actor: "server", details: { lost } }, batch[0]?.atMs ?? 0);
    }
    for (const { event, atMs } of batch) add(event, atMs);
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    const file = await this.#current();
    if (file.torn) await file.handle.truncate(file.bytes);
    file.torn = true;
    try {
      await file.handle.appendFile(bytes);
      await file.handle.datasync();
    } catch (error) {
      // Part of it may be there: the log goes on from where it was whole.
      await file.handle.truncate(file.bytes);
      file.torn = false;
      throw error;
    }
    file.torn = false;
    file.bytes += bytes.length;
    this.#head = head;
    this.#lost -= lost;
  }

  async #current(): Promise<CurrentFile> {
    const { directory, fileBytes = FILE_BYTES, keepFiles = KEEP_FILES } = this.#options;
    if (this.#file !== undefined && this.#file.bytes < fileBytes) return this.#file;
    const files = auditFiles(directory);
    const last = files.at(-1);
    const goesOn = this.#file === undefined && last !== undefined && (await stat(last)).size < fileBytes;
    const path = goesOn ? last : join(directory, auditFileName(this.#head.seq + 1));
    const handle = await open(path, "a", 0o600);
    await this.#file?.handle.close();
    this.#file = { handle, bytes: (await handle.stat()).size, torn: false };
    if (!goesOn) {
      for (const old of files.slice(0, Math.max(0, files.length + 1 - keepFiles))) await rm(old);
      await syncDirectory(directory);
    }
    return this.#file;
  }

  #fail(batch: readonly Waiting[], cause: unknown): void {
    const { directory, logger } = this.#options;
    const notes = batch.filter(({ settled }) => settled === undefined).length;
    this.#countLost(notes);
    logger.error("the audit log cannot be written", {
      directory,
      reason: messageOf(cause),
      lost: this.#lost,
    });
    for (const { settled } of batch) {
      settled?.reject(
        new MeshError("audit.unavailable", `write the audit log in ${directory}: ${messageOf(cause)}`, {
          cause,
          hint: "nothing was changed; look at the free space and the owner of the directory",
        }),
      );
    }
  }

  #countLost(count: number): void {
    this.#lost += count;
    this.#lostEver += count;
  }
}

/** The newest file is empty when the server was killed right after it had made it. */
function headBefore(directory: string): ChainHead {
  const before = auditFiles(directory).at(-2);
  return before === undefined ? EMPTY_CHAIN : findEnd(before).head;
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
