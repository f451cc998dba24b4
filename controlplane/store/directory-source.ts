import { dirname, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { ParsedObject } from "../../mesh/model/object.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { parseConfig } from "../parse-config.ts";
import { keyOf } from "./apply-plan.ts";
import type { ConfigStore } from "./config-store.ts";
import { type DirectoryListing, listDirectory, readChanged, type Signature } from "./directory-files.ts";
import { DirectoryWatch } from "./directory-watch.ts";

export interface DirectorySourceOptions {
  readonly directory: string;
  readonly store: ConfigStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Namespace of objects that name none. */
  readonly defaultNamespace: string;
  readonly rootNamespace: string;
  /** How often the directory is read again without a notification (network file systems send none). */
  readonly rescanMs?: number;
  /** How long the directory must be quiet before it is read. */
  readonly debounceMs?: number;
}

/** What became of one file. */
export type FileStatus =
  | { readonly state: "applied"; readonly objects: number; readonly warnings: readonly LocatedViolation[] }
  /** The last good version of its objects stays in force. */
  | { readonly state: "refused"; readonly reason: string; readonly violations: readonly LocatedViolation[] };

export type DirectoryStatus =
  | { readonly state: "starting" }
  | { readonly state: "current"; readonly since: number; readonly files: ReadonlyMap<string, FileStatus> }
  /** Its objects stay in force. */
  | {
      readonly state: "unreadable";
      readonly since: number;
      readonly reason: string;
      readonly files: ReadonlyMap<string, FileStatus>;
    };

/** What a file says, as far as it could be read. */
interface KnownFile {
  /** Undefined: read it again next time. */
  readonly signature: Signature | undefined;
  /** Last version without an error; undefined as long as there was none. */
  readonly objects: readonly ParsedObject[] | undefined;
  /** Why the present version is not used. */
  readonly problem: string | undefined;
  readonly violations: readonly LocatedViolation[];
}

type KnownFiles = ReadonlyMap<string, KnownFile>;

/**
 * Keeps the store equal to a directory of YAML and JSON files, each of which owns its objects (origin = its path). A
 * file with any error keeps the last good version of its objects; a file that is gone takes its objects along; a
 * directory that is gone, unreadable or suddenly replaced by an empty one takes nothing.
 */
export class DirectorySource {
  readonly #options: DirectorySourceOptions;
  readonly #directory: string;
  #files: KnownFiles = new Map();
  #statuses: ReadonlyMap<string, FileStatus> = new Map();
  #identity: Signature | undefined;
  #problem: string | undefined;
  #since: number | undefined;

  constructor(options: DirectorySourceOptions) {
    this.#options = options;
    this.#directory = resolve(options.directory);
  }

  get status(): DirectoryStatus {
    if (this.#since === undefined) return { state: "starting" };
    const at = { since: this.#since, files: this.#statuses };
    return this.#problem === undefined
      ? { state: "current", ...at }
      : { state: "unreadable", reason: this.#problem, ...at };
  }

  /** Scans now and after each change, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, rescanMs = 5000, debounceMs = 100 } = this.#options;
    using watch = new DirectoryWatch(this.#directory, clock);
    while (!signal.aborted) {
      watch.open();
      await this.scan();
      await watch.changed({ rescanMs, debounceMs, signal });
    }
  }

  /** Reads what changed and brings the store up to date. Never throws: `status` tells what did not work. */
  async scan(): Promise<void> {
    try {
      const listing = await listDirectory(this.#directory);
      if (this.#looksUnmounted(listing)) {
        this.#setProblem("it is empty all of a sudden: its objects are kept until there is a file in it");
        return;
      }
      this.#files = await this.#readFiles(listing.files);
      this.#identity = listing.identity;
      this.#setStatuses(this.#apply(this.#files));
      this.#setProblem(undefined);
    } catch (error) {
      this.#setProblem(messageOf(error));
    }
  }

  /** Emptied by its owner, the directory is still the same one; after an unmount, or at a start, it may not be. */
  #looksUnmounted({ empty, identity }: DirectoryListing): boolean {
    return empty && identity !== this.#identity && this.#origins().size > 0;
  }

  async #readFiles(paths: readonly string[]): Promise<KnownFiles> {
    const files = new Map<string, KnownFile>();
    for (const path of paths) {
      const known = this.#files.get(path);
      const content = await readChanged(path, known?.signature);
      if (content.kind === "unchanged" && known !== undefined) files.set(path, known);
      if (content.kind === "text") files.set(path, this.#parse(path, content, known?.objects));
      if (content.kind === "unreadable") files.set(path, unusable(content.reason, known?.objects));
    }
    return files;
  }

  #parse(
    path: string,
    { text, signature }: { readonly text: string; readonly signature: Signature },
    lastGood: readonly ParsedObject[] | undefined,
  ): KnownFile {
    const { defaultNamespace, rootNamespace } = this.#options;
    const { objects, violations } = parseConfig(text, { defaultNamespace, rootNamespace, file: path });
    const errors = violations.filter(({ severity }) => severity === "error").length;
    if (errors > 0) {
      const reason = `it has ${errors} ${errors === 1 ? "error" : "errors"}`;
      return { ...unusable(reason, lastGood), signature, violations };
    }
    if (objects.length === 0 && this.#origins().has(path)) {
      return unusable("it is empty all of a sudden: remove the file to delete its objects", lastGood);
    }
    return { signature, objects, problem: undefined, violations };
  }

  /**
   * First everything is applied, then what no file has any more is deleted: an object that moves to another file, or
   * whose file was renamed, changes hands and keeps its creation time.
   */
  #apply(files: KnownFiles): ReadonlyMap<string, FileStatus> {
    const statuses = new Map([...files].map(([path, file]) => [path, this.#applyFile(path, file)]));
    for (const origin of this.#origins()) {
      const status = statuses.get(origin);
      const kept = files.get(origin)?.objects ?? [];
      if (status === undefined) this.#options.store.apply([], { origin, prune: true });
      else if (status.state === "applied") this.#options.store.apply(kept, { origin, prune: true });
    }
    return statuses;
  }

  #applyFile(path: string, { objects = [], problem, violations }: KnownFile): FileStatus {
    if (problem !== undefined) return { state: "refused", reason: problem, violations };
    try {
      this.#options.store.apply(objects, { origin: path, adopt: this.#givenUp(path, objects) });
      return {
        state: "applied",
        objects: objects.length,
        warnings: violations.filter(({ severity }) => severity === "warning"),
      };
    } catch (error) {
      const { message, hint } = MeshError.from(error);
      return { state: "refused", reason: hint === undefined ? message : `${message}: ${hint}`, violations };
    }
  }

  /** Files of this directory that had some of these objects and do not have them any more. */
  #givenUp(path: string, objects: readonly ParsedObject[]): readonly string[] {
    const keys = objects.map(keyOf);
    const owners = keys.map((key) => [key, this.#options.store.get(key)?.origin] as const);
    return owners.flatMap(([key, owner]) => {
      if (owner === undefined || owner === path || dirname(owner) !== this.#directory) return [];
      const still = this.#files.get(owner)?.objects?.some((object) => keyOf(object) === key);
      return still === true ? [] : [owner];
    });
  }

  /** The files of this directory, there or not, that own objects in the store. */
  #origins(): ReadonlySet<string> {
    const origins = this.#options.store.list().map(({ origin }) => origin);
    return new Set(origins.filter((origin) => dirname(origin) === this.#directory));
  }

  #setStatuses(statuses: ReadonlyMap<string, FileStatus>): void {
    const { logger } = this.#options;
    for (const [file, status] of statuses) {
      if (isDeepStrictEqual(status, this.#statuses.get(file))) continue;
      const { state, ...fields } = status;
      if (state === "applied") logger.info("configuration file applied", { file, ...fields });
      else logger.error("configuration file refused: its last good version stays", { file, ...fields });
    }
    this.#statuses = statuses;
  }

  #setProblem(problem: string | undefined): void {
    const directory = this.#directory;
    const before = this.#since === undefined ? undefined : this.#problem;
    if (problem !== undefined && problem !== before)
      this.#options.logger.error("configuration directory not read: its objects stay", {
        directory,
        reason: problem,
      });
    if (problem === undefined && before !== undefined)
      this.#options.logger.info("configuration directory read again", { directory });
    if (this.#since === undefined || problem !== before) this.#since = this.#options.clock.now();
    this.#problem = problem;
  }
}

function unusable(problem: string, objects: readonly ParsedObject[] | undefined): KnownFile {
  return { signature: undefined, objects, problem, violations: [] };
}
