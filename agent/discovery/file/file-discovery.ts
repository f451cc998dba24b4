import { createHash } from "node:crypto";
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
  readonly digest: string;
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
  /** As of the last look: what was there first stays when another file claims its id or port. */
  #inForce: readonly LocalService[] = [];

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

  get files(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#contents].map(([file, { digest }]) => [file, digest]));
  }

  async *watch(signal: AbortSignal): AsyncGenerator<readonly LocalService[], void> {
    const { clock, logger, path, rereadMs = 5_000 } = this.#options;
    for (const [file, text] of (await this.#kept?.read()) ?? []) this.#takeText(file, text);
    this.#inForce = joinFiles([...this.#contents], []).joined;
    let told: string | undefined;
    while (!signal.aborted) {
      // Watched from before the reading on, so that no change falls between.
      const changed = new AbortController();
      const watchers = watchersFor(path, () => changed.abort());
      try {
        const before = this.#findings;
        const { services, wasThere } = await this.#look();
        logFindings(logger, this.#findings, before);
        const text = JSON.stringify([services, this.files]);
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
    if (wasThere) await this.#keep();
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
    return true;
  }

  #takeText(file: string, text: string): readonly HostFinding[] {
    const { address, ownAddress = "127.0.0.1" } = this.#options;
    const had = this.#contents.get(file);
    const parsed = had?.text === text ? had.parsed : parseServices(text, address ?? ownAddress);
    if (!parsed.ok) return refusedFile(file, parsed.violations);
    const digest = createHash("sha256").update(text).digest("hex");
    this.#contents.set(file, { text, digest, parsed });
    return passedOver(file, parsed.notices);
  }

  /** A service that clashes with one that was there before, or else with one of an earlier file, is left out. */
  #join(findings: HostFinding[]): readonly LocalService[] {
    const { address } = this.#options;
    const files = [...this.#contents].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const { joined, left } = joinFiles(files, this.#inForce);
    findings.push(...left.map(([file, service]) => clash(file, service)));
    this.#inForce = joined;
    const [here = [], away = []] = [true, false].map((own) =>
      joined.filter((one) => own === (address === undefined || one.address.address === address)),
    );
    findings.push(...away.map((service) => elsewhere(service, address ?? "")));
    return here.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Files with all their services in force come first: at the next start that is who was there before. */
  async #keep(): Promise<void> {
    const whole = ([, { parsed }]: readonly [string, Content]): boolean =>
      parsed.services.every((service) => this.#inForce.includes(service));
    const byName = [...this.#contents].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const ordered = [...byName.filter(whole), ...byName.filter((one) => !whole(one))];
    await this.#kept?.write(new Map(ordered.map(([file, { text }]) => [file, text])));
  }
}

interface Joined {
  readonly joined: readonly LocalService[];
  /** Those that were left out, each with its file. */
  readonly left: readonly (readonly [string, LocalService])[];
}

/** Services of files in their order, those first that were `before` with the same id at the same place. */
function joinFiles(files: readonly (readonly [string, Content])[], before: readonly LocalService[]): Joined {
  const keys = new Set(before.map(claimOf));
  const all = files.flatMap(([file, { parsed }]) =>
    parsed.services.map((service) => [file, service] as const),
  );
  const [had = [], others = []] = [true, false].map((wanted) =>
    all.filter(([, service]) => keys.has(claimOf(service)) === wanted),
  );
  let joined: readonly LocalService[] = [];
  const left: (readonly [string, LocalService])[] = [];
  for (const [file, service] of [...had, ...others]) {
    if (clashesAmong([...joined, service]).length === 0) joined = [...joined, service];
    else left.push([file, service]);
  }
  return { joined, left };
}

function claimOf({ namespace, id, address }: LocalService): string {
  return `${namespace}/${id} ${address.address} ${address.port}`;
}
