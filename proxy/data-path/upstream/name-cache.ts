import { isIP } from "node:net";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { DnsSource } from "../../model/cluster.ts";
import { ofFamily, type Resolver } from "./dns-endpoints.ts";

/** As Envoy has them: names that are kept, lookups at the same time, and when a name is looked up again. */
const MOST_NAMES = 1024;
const MOST_LOOKUPS = 1024;
const FRESH_MS = 60_000;
const LOOKUP_MS = 5_000;
/** Nobody is asked again sooner for a name that has no address. */
const FAILED_MS = 1_000;

export type Found =
  | { readonly kind: "address"; readonly address: string }
  /** There is no such name, or nobody has said in time. */
  | { readonly kind: "unknown" }
  /** Too many are being looked up. */
  | { readonly kind: "overflow" };

interface Entry {
  readonly found: Found;
  readonly freshUntilMs: number;
}

export interface NameCacheDeps {
  readonly resolve: Resolver;
  readonly clock: Clock;
}

/** Addresses of the names that callers choose: bounded, since they choose them. */
export class NameCache {
  readonly #family: DnsSource["family"];
  readonly #deps: NameCacheDeps;
  /** The one that was asked for last comes last. */
  readonly #known = new Map<string, Entry>();
  readonly #running = new Map<string, Promise<Found>>();

  constructor(family: DnsSource["family"], deps: NameCacheDeps) {
    this.#family = family;
    this.#deps = deps;
  }

  /** A name whose time is over is still good for this call, while it is looked up again for those that follow. */
  async lookUp(name: string): Promise<Found> {
    if (isIP(name) !== 0) return { kind: "address", address: name };
    const key = name.toLowerCase();
    const entry = this.#known.get(key);
    if (entry === undefined) return await this.#ask(key);
    this.#known.delete(key);
    this.#known.set(key, entry);
    if (this.#deps.clock.monotonic() < entry.freshUntilMs) return entry.found;
    const asked = this.#ask(key);
    return entry.found.kind === "address" ? entry.found : await asked;
  }

  async #ask(name: string): Promise<Found> {
    const running = this.#running.get(name);
    if (running !== undefined) return await running;
    if (this.#running.size >= MOST_LOOKUPS) return { kind: "overflow" };
    const asking = this.#resolve(name).finally(() => this.#running.delete(name));
    this.#running.set(name, asking);
    return await asking;
  }

  async #resolve(name: string): Promise<Found> {
    const { resolve, clock } = this.#deps;
    const patience = new AbortController();
    const answer = resolve(name).catch((): readonly string[] => []);
    const late = clock.sleep(LOOKUP_MS, patience.signal).then((): readonly string[] => []);
    const [address] = ofFamily(await Promise.race([answer, late]), this.#family);
    patience.abort();
    const before = this.#known.get(name)?.found;
    const isFound = address !== undefined;
    // A name that gives no answer for once keeps its address.
    const found: Found = isFound ? { kind: "address", address } : (before ?? { kind: "unknown" });
    this.#known.delete(name);
    this.#known.set(name, { found, freshUntilMs: clock.monotonic() + (isFound ? FRESH_MS : FAILED_MS) });
    if (this.#known.size > MOST_NAMES) this.#known.delete(this.#known.keys().next().value ?? "");
    return found;
  }
}
