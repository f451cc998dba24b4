import { type FSWatcher, watch as watchPath } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import type { Discovery, LocalService } from "../discovery.ts";
import { clashesAmong, parseServices } from "./parse-services.ts";

export interface FileDiscoveryOptions {
  /** A file, or a directory whose `*.yaml`, `*.yml` and `*.json` files are read. */
  readonly path: string;
  /** The host's address: what services without one have, and, when set, the only one that is taken. */
  readonly address: string | undefined;
  /** What services without an address have when `address` is not set either; loopback if not given. */
  readonly ownAddress?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How often files are read again even if no change was noticed (network file systems tell none). Default 5 s. */
  readonly rereadMs?: number;
}

/** Larger files are refused: nobody writes that many services of one host. */
const MAX_FILE_BYTES = 4 << 20;
/** Editors and tools write in several steps; one look after them is enough. */
const QUIET_MS = 20;

interface Content {
  readonly text: string;
  readonly services: readonly LocalService[];
}

/**
 * The services of this host as files say. A file that cannot be read or used keeps what it last said, and the log has
 * everything that is wrong with it. A file removed from the directory takes its services with it; a directory, or a
 * single file, that is away as a whole does not. Nothing is told before every file could be read once: what ran before
 * a restart must not go because of a slip in a file.
 */
export class FileDiscovery implements Discovery {
  readonly name = "file";
  readonly #options: FileDiscoveryOptions;

  constructor(options: FileDiscoveryOptions) {
    this.#options = options;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<readonly LocalService[], void> {
    const { clock, path, rereadMs = 5_000 } = this.#options;
    const contents = new Map<string, Content>();
    const complaints = new Map<string, string>();
    let told: string | undefined;
    while (!signal.aborted) {
      // Watched from before the reading on, so that no change falls between.
      const changed = new AbortController();
      const watchers = await watchersFor(path, () => changed.abort());
      try {
        const complete = await this.#readAll(contents, complaints);
        const services = this.#join(contents, complaints);
        const text = JSON.stringify(services);
        if (text !== told && (complete || told !== undefined)) {
          told = text;
          yield services;
        }
        await clock.sleep(rereadMs, AbortSignal.any([signal, changed.signal]));
        if (changed.signal.aborted) await clock.sleep(QUIET_MS, signal);
      } finally {
        for (const watcher of watchers) watcher.close();
      }
    }
  }

  /** True when there is a good content of every file. */
  async #readAll(contents: Map<string, Content>, complaints: Map<string, string>): Promise<boolean> {
    const { path } = this.#options;
    const files = await filesAt(path).catch((error: unknown) => messageOf(error));
    this.#complain(complaints, path, typeof files === "string" ? files : "");
    if (typeof files === "string") return false;
    for (const gone of [...contents.keys()].filter((file) => !files.includes(file))) contents.delete(gone);
    for (const file of files) {
      try {
        this.#take(file, await readBounded(file), contents);
        this.#complain(complaints, file, "");
      } catch (error) {
        this.#complain(complaints, file, messageOf(error));
      }
    }
    return files.every((file) => contents.has(file));
  }

  #take(file: string, text: string, contents: Map<string, Content>): void {
    if (contents.get(file)?.text === text) return;
    const parsed = parseServices(text, this.#options.address ?? this.#options.ownAddress ?? "127.0.0.1");
    if (!parsed.ok) {
      const lines = parsed.violations.map(({ path, message }) =>
        path === "" ? message : `${path}: ${message}`,
      );
      throw new MeshError("agent.discovery", lines.join("; "));
    }
    contents.set(file, { text, services: parsed.services });
  }

  /** Files in the order of their names; a service that clashes with one of an earlier file is left out. */
  #join(contents: ReadonlyMap<string, Content>, complaints: Map<string, string>): readonly LocalService[] {
    const { address } = this.#options;
    let joined: readonly LocalService[] = [];
    const clashing: string[] = [];
    for (const [file, { services }] of [...contents].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      for (const service of services) {
        const clashes = clashesAmong([...joined, service]);
        if (clashes.length === 0) joined = [...joined, service];
        else
          clashing.push(
            `${service.id} of ${basename(file)} has the id or the port of a service of another file`,
          );
      }
    }
    this.#complain(complaints, "", clashing.join("; "));
    return joined
      .filter((service) => address === undefined || service.address.address === address)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Logs a problem when it begins or becomes another. */
  #complain(complaints: Map<string, string>, file: string, problem: string): void {
    if ((complaints.get(file) ?? "") === problem) return;
    complaints.set(file, problem);
    const fields = file === "" ? { problem } : { file, problem };
    if (problem !== "")
      this.#options.logger.warn("a services file cannot be used, what it last said stays", fields);
    else this.#options.logger.info("a services file can be used again", fields);
  }
}

async function filesAt(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = await readdir(path);
  return names
    .filter((name) => /\.(ya?ml|json)$/.test(name) && !name.startsWith("."))
    .toSorted()
    .map((name) => join(path, name));
}

async function readBounded(path: string): Promise<string> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  if (size > MAX_FILE_BYTES) throw new MeshError("agent.discovery", `is longer than ${MAX_FILE_BYTES} bytes`);
  return await file.readFile("utf8");
}

/** Its directory is watched too: a file that is replaced by a rename is another file. */
async function watchersFor(path: string, onChange: () => void): Promise<readonly FSWatcher[]> {
  const watchers: FSWatcher[] = [];
  for (const place of [path, dirname(path)]) {
    try {
      const watcher = watchPath(place, { persistent: false }, (_, name) => {
        if (place === path || name === null || name === basename(path)) onChange();
      });
      // One that cannot be watched any more is read again in time.
      watcher.on("error", () => undefined);
      watchers.push(watcher);
    } catch {
      // Not there, or no watches left: it is read again in time.
    }
  }
  return watchers;
}
