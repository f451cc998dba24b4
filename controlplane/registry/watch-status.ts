import type { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { RegistryStatus } from "./registry.ts";

interface Held {
  readonly service: string;
}

/** What is the matter with a watch, for `status` and for the log: told when it begins and when it ends. */
export class WatchStatus {
  readonly #catalog: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #failures = new Map<string, string>();
  readonly #refusals = new Map<string, string>();
  #current: RegistryStatus = { state: "starting" };

  /** `catalog` is what people call it: `consul`. */
  constructor(catalog: string, clock: Clock, logger: Logger) {
    this.#catalog = catalog;
    this.#clock = clock;
    this.#logger = logger;
  }

  get current(): RegistryStatus {
    return this.#current;
  }

  /** What of the catalog cannot be used as it is, by service. */
  get problems(): readonly string[] {
    return [...this.#refusals].flatMap(([service, text]) =>
      text.split("\n").map((problem) => (service === "" ? problem : `${service}: ${problem}`)),
    );
  }

  /** Whether any query has failed since its last answer. */
  get failing(): boolean {
    return this.#failures.size > 0;
  }

  failed(path: string, error: MeshError): void {
    this.#failures.set(path, error.hint === undefined ? error.message : `${error.message} (${error.hint})`);
  }

  answered(path: string): void {
    this.#failures.delete(path);
  }

  /** Notes what cannot be used of a service; logged once, until it is something else. */
  refused(service: string, problems: readonly string[]): void {
    const text = problems.join("\n");
    if ((this.#refusals.get(service) ?? "") === text) return;
    if (text === "") this.#refusals.delete(service);
    else this.#refusals.set(service, text);
    for (const problem of problems)
      this.#logger.warn("a catalog entry cannot be used as it is", { service, problem });
  }

  update(synced: boolean, held: readonly Held[], known: number): void {
    const reason = this.#failureReason() ?? heldReason(this.#catalog, held, known);
    const before = this.#current;
    const since = this.#clock.now();
    if (reason !== undefined) {
      this.#current = { state: "stale", since: before.state === "stale" ? before.since : since, reason };
      if (before.state !== "stale")
        this.#logger.warn("the catalog is stale, the last known content stays", { reason });
    } else if (synced && before.state !== "current") {
      this.#current = { state: "current", since };
      this.#logger.info("the catalog is current", { instances: known });
    } else if (!synced && before.state === "stale") {
      this.#current = { state: "starting" };
    }
  }

  #failureReason(): string | undefined {
    const [first] = this.#failures.values();
    const more = this.#failures.size - 1;
    return first === undefined || more < 1 ? first : `${first}; and ${more} more queries fail`;
  }
}

function heldReason(catalog: string, held: readonly Held[], known: number): string | undefined {
  if (held.length === 0) return undefined;
  const services = [...new Set(held.map(({ service }) => service))].sort();
  const named = services.slice(0, 5).join(", ") + (services.length > 5 ? ", …" : "");
  return `${catalog} suddenly lists ${held.length} of ${known} instances no more (${named}): they stay until they come back`;
}
