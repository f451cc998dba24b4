import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { ServiceKey } from "../../mesh/model/service.ts";
import type { SnapshotKey } from "./mesh-snapshot.ts";

/**
 * When somebody who serves a service was banned last, milliseconds since the epoch. It only grows as long as the service is
 * there: not that a banned server goes, nor that it comes back when its ban is lifted, is a reason to end connections.
 */
export class ServerBans {
  /** Who has served each, those among them who do no more. */
  readonly #serversOf = new Map<ServiceKey, Set<string>>();
  readonly #servicesOf = new Map<string, Set<ServiceKey>>();
  #bans: ReadonlyMap<string, number> = new Map();
  readonly #news = new Map<ServiceKey, number | undefined>();

  /** `identities`: SPIFFE IDs of those who serve it now, and of those who would if they were not banned. */
  served(key: ServiceKey, identities: readonly string[]): void {
    let servers = this.#serversOf.get(key);
    if (servers === undefined) this.#serversOf.set(key, (servers = new Set()));
    for (const identity of identities) {
      if (servers.has(identity)) continue;
      servers.add(identity);
      const services = this.#servicesOf.get(identity) ?? new Set();
      this.#servicesOf.set(identity, services.add(key));
      this.#note(key, this.#bans.get(identity));
    }
  }

  /** There is no such service any more. */
  gone(key: ServiceKey): void {
    for (const identity of this.#serversOf.get(key) ?? []) {
      const services = this.#servicesOf.get(identity);
      services?.delete(key);
      if (services?.size === 0) this.#servicesOf.delete(identity);
    }
    this.#serversOf.delete(key);
    this.#news.set(key, undefined);
  }

  /** By identity, when it or a certificate of it was banned last. */
  setBans(bans: ReadonlyMap<string, number>): void {
    if (bans === this.#bans) return;
    for (const [identity, atMs] of bans) {
      if (this.#bans.get(identity) === atMs) continue;
      for (const key of this.#servicesOf.get(identity) ?? []) this.#note(key, atMs);
    }
    this.#bans = bans;
  }

  /** By service. */
  next(before: SharedMap<number>, changed: Set<SnapshotKey>): SharedMap<number> {
    if (this.#news.size === 0) return before;
    const edits = [...this.#news].filter(([key, atMs]) => before.get(key) !== atMs);
    this.#news.clear();
    for (const [key] of edits) changed.add(`server-ban/${key}`);
    return edits.length === 0 ? before : before.edited(edits);
  }

  #note(key: ServiceKey, atMs: number | undefined): void {
    if (atMs === undefined) return;
    this.#news.set(key, Math.max(atMs, this.#news.get(key) ?? 0));
  }
}
