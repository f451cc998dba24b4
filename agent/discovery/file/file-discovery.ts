import type { HostFinding } from "../../../mesh/admin-api/host-finding.ts";
import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { logFindings } from "../../host/log-findings.ts";
import type { Discovery, LocalService } from "../discovery.ts";
import { KeptTexts } from "../kept-texts.ts";
import { clash, elsewhere, notRead, passedOver, refusedFile, unreadable } from "./file-findings.ts";
import { clashesAmong, parseServices } from "./parse-services.ts";
import type { ParsedServices } from "./parsed-services.ts";
import { filesAt, readBounded, watchersFor } from "./service-files.ts";

export interface FileDiscoveryOptions {
  /** A file, or a directory whose `*.yaml`, `*.yml` and `*.json` files are read. */
  readonly path: string;
  /** The host's address: what services without one have, and, when set, the only one that is taken. */
  readonly address: string | undefined;
  /** What services without an address have when `address` is not set either; loopback if not given. */
  readonly ownAddress?: string;
  /** Where the last good text of each file is kept over a restart; undefined: nowhere. */
  readonly stateDir: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How often files are read again even if no change was noticed (network file systems tell none). Default 5 s. */
  readonly rereadMs?: number;
}

/** Editors and tools write in several steps; one look after them is enough. */
const QUIET_MS = 20;

/** What counts of a file. */
interface Content {
  readonly text: string;
  readonly parsed: Extract<ParsedServices, { readonly ok: true }>;
}

/**
 * The services of this host as files say: Lateen's own and Consul's definitions. A file that cannot be read or used keeps
 * what it last said, also over a restart, and everything that is wrong with it is in the log and in `findings`. A file
 * removed from the directory takes its services with it; a directory, or a single file, that is away as a whole does not.
 */
export class FileDiscovery implements Discovery {
  readonly name = "file";
  readonly #options: FileDiscoveryOptions;
  readonly #kept: KeptTexts | undefined;
  readonly #contents = new Map<string, Content>();
  #findings: readonly HostFinding[] = [];

  constructor(options: FileDiscoveryOptions) {
    this.#options = options;
    const { stateDir } = options;
    this.#kept =
      stateDir === undefined
        ? undefined
        : new KeptTexts({ ...options, stateDir, file: "service-files.json" });
  }

  get findings(): readonly HostFinding[] {
    return this.#findings;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<readonly LocalService[], void> {
    const { clock, logger, path, rereadMs = 5_000 } = this.#options;
    for (const [file, text] of (await this.#kept?.read()) ?? []) this.#takeText(file, text);
    let told: string | undefined;
    while (!signal.aborted) {
      // Watched from before the reading on, so that no change falls between.
      const changed = new AbortController();
      const watchers = watchersFor(path, () => changed.abort());
      try {
        const before = this.#findings;
        const { services, wasThere } = await this.#look();
        logFindings(logger, this.#findings, before);
        const text = JSON.stringify(services);
        if (text !== told && (wasThere || told !== undefined)) {
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

  /** What the files say now, for who does not watch. */
  async look(): Promise<readonly LocalService[]> {
    return (await this.#look()).services;
  }

  async #look(): Promise<{ readonly services: readonly LocalService[]; readonly wasThere: boolean }> {
    const findings: HostFinding[] = [];
    const wasThere = await this.#readAll(findings);
    const services = this.#join(findings);
    this.#findings = findings;
    return { services, wasThere };
  }

  /** False when the path is not there: nothing is said by that, and what ran before must not go. */
  async #readAll(findings: HostFinding[]): Promise<boolean> {
    const { path } = this.#options;
    const found = await filesAt(path).catch((error: unknown) => messageOf(error));
    if (typeof found === "string") {
      findings.push(unreadable(path, found));
      return false;
    }
    for (const gone of [...this.#contents.keys()].filter((file) => !found.files.includes(file)))
      this.#contents.delete(gone);
    findings.push(...found.unreadable.map(notRead));
    for (const file of found.files) {
      const text = await readBounded(file).catch((error: unknown) => error as Error);
      if (typeof text === "string") findings.push(...this.#takeText(file, text));
      else findings.push(unreadable(file, messageOf(text)));
    }
    await this.#kept?.write(new Map([...this.#contents].map(([file, { text }]) => [file, text])));
    return true;
  }

  #takeText(file: string, text: string): readonly HostFinding[] {
    const { address, ownAddress = "127.0.0.1" } = this.#options;
    const had = this.#contents.get(file);
    const parsed = had?.text === text ? had.parsed : parseServices(text, address ?? ownAddress);
    if (!parsed.ok) return refusedFile(file, parsed.violations);
    this.#contents.set(file, { text, parsed });
    return passedOver(file, parsed.notices);
  }

  /** Files in the order of their names; a service that clashes with one of an earlier file is left out. */
  #join(findings: HostFinding[]): readonly LocalService[] {
    const { address } = this.#options;
    let joined: readonly LocalService[] = [];
    for (const [file, { parsed }] of [...this.#contents].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      for (const service of parsed.services) {
        if (clashesAmong([...joined, service]).length === 0) joined = [...joined, service];
        else findings.push(clash(file, service));
      }
    }
    const [here = [], away = []] = [true, false].map((own) =>
      joined.filter((one) => own === (address === undefined || one.address.address === address)),
    );
    findings.push(...away.map((service) => elsewhere(service, address ?? "")));
    return here.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }
}
