import { stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import {
  appendPrivate,
  ensurePrivateDir,
  quarantine,
  readPrivate,
  writePrivate,
} from "../state/private-files.ts";
import { changeText, type LogEnd, type LogOwner, newLog, readLog } from "./configuration-log.ts";
import { formatOneFiles, formatOneTime, readFormatOne, removeFormatOne } from "./format-one.ts";
import { type Configuration, STORED_TYPES } from "./stored-types.ts";

export interface LastGoodStoreOptions extends LogOwner {
  /** Of this node alone; made when something is first stored. */
  readonly dir: string;
  readonly logger: Logger;
  readonly clock: Pick<Clock, "now">;
}

const FILE = "configuration.xds";
const LARGEST_BYTES = 256 << 20;
/** A log is written anew once it has grown by its first size, but not for less than this. */
const LEAST_GROWTH_BYTES = 256 << 10;

/** The file as this process knows it. */
interface KnownLog {
  readonly end: LogEnd;
  /** How large it may become before it is written anew. */
  readonly most: number;
}

/**
 * The configuration that one node's data plane last acknowledged, on disk: one file for all types, to which each change is
 * appended, so that what a kill leaves is the configuration of some moment and never a mixture of two. A change costs what
 * it changes; a file that has doubled, or had another key in it, is written anew, beside the old one and in its place at once. What was changed,
 * swapped, or is reachable by others is put aside and never used; what is another's or a newer version's is not used.
 */
export class LastGoodStore {
  readonly #options: LastGoodStoreOptions;
  readonly #path: string;
  /** What the file says, and the newest that it should say. */
  #stored: Configuration = new Map();
  #newest = new Map<TypeUrl, ResourceMap>();
  /** Undefined: the next write is of all. */
  #log: KnownLog | undefined;
  #loading: Promise<void> | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: LastGoodStoreOptions) {
    this.#options = options;
    this.#path = join(options.dir, FILE);
  }

  /**
   * What is on disk and can be trusted, with what this store was given since. A type that was never stored is missing. To
   * be awaited before anything is saved: what is on disk is lost else. Never throws.
   */
  async load(): Promise<Configuration> {
    this.#loading ??= this.#loadOnce();
    await this.#loading;
    return new Map(this.#newest);
  }

  /** Writes in the background, the newest state only. A write that fails is logged; the next change tries again. */
  save(typeUrl: TypeUrl, resources: ResourceMap): void {
    if (!STORED_TYPES.includes(typeUrl)) return;
    this.#newest.set(typeUrl, resources);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Returns when everything saved so far is on disk, or has failed. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #loadOnce(): Promise<void> {
    await this.flush();
    this.#stored = await this.#read();
    this.#newest = new Map(this.#stored);
  }

  async #writeAll(): Promise<void> {
    try {
      while ([...this.#newest].some(([typeUrl, resources]) => this.#stored.get(typeUrl) !== resources)) {
        const now = new Map(this.#newest);
        await this.#write(now);
        this.#stored = now;
      }
    } catch (error) {
      this.#log = undefined;
      this.#options.logger.error("last good configuration not stored", { error: messageOf(error) });
    }
  }

  async #write(configuration: Configuration): Promise<void> {
    const known = this.#log;
    // A key that was replaced must not be left behind in the file.
    const hasOtherSecrets = configuration.get(TYPE_URL.secret) !== this.#stored.get(TYPE_URL.secret);
    if (known !== undefined && known.end.bytes <= known.most && !hasOtherSecrets) {
      const { text, end } = changeText(known.end, this.#stored, configuration);
      await appendPrivate(this.#path, known.end.bytes, text);
      this.#log = { ...known, end };
      return;
    }
    await ensurePrivateDir(this.#options.dir);
    const { text, end } = newLog(this.#options, configuration);
    await writePrivate(this.#path, text);
    this.#log = knownLog(end, end.bytes);
    await removeFormatOne(this.#options.dir);
  }

  async #read(): Promise<Configuration> {
    const { dir, logger } = this.#options;
    const [time, formerTime] = await Promise.all([
      stat(this.#path).then(
        ({ mtimeMs }) => mtimeMs,
        () => undefined,
      ),
      formatOneTime(dir),
    ]);
    // Where both are there, an agent of an earlier version has run since; or a kill kept this one from removing them.
    if (formerTime !== undefined && formerTime > (time ?? 0)) return await this.#readFormatOne();
    const read = await this.#usable(this.#path, async () => {
      const text = await readPrivate(this.#path, LARGEST_BYTES);
      return text === undefined ? undefined : readLog(text, this.#options);
    });
    if (read?.kind === "refused") {
      logger.warn("last good configuration not used", { path: this.#path, reason: read.reason });
    }
    if (read?.kind !== "read") return new Map();
    // Nothing may come after a part of a change.
    if (!read.torn) this.#log = knownLog(read.end, read.firstBytes);
    return read.configuration;
  }

  async #readFormatOne(): Promise<Configuration> {
    const loaded = new Map<TypeUrl, ResourceMap>();
    for (const { typeUrl, path } of formatOneFiles(this.#options.dir)) {
      const read = (): Promise<ResourceMap | undefined> => readFormatOne(path, this.#options.node, typeUrl);
      const resources = await this.#usable(path, read);
      if (resources !== undefined) loaded.set(typeUrl, resources);
    }
    return loaded;
  }

  /** What `read` gives; undefined when it throws: then the file is put aside. */
  async #usable<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
    const { logger, clock } = this.#options;
    try {
      return await read();
    } catch (error) {
      logger.warn("last good configuration not usable", { path, error: messageOf(error) });
      await quarantine(path, clock.now()).catch((failure: unknown) => {
        logger.warn("file not put aside", { path, error: messageOf(failure) });
      });
      return undefined;
    }
  }
}

function knownLog(end: LogEnd, whole: number): KnownLog {
  return { end, most: whole + Math.max(whole, LEAST_GROWTH_BYTES) };
}
