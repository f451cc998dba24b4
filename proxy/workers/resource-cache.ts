import type { TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { ResourceUpdate } from "../ads/ads-client.ts";
import { ASK_ORDER, type Interest, type Interests, isOf } from "../ads/interest.ts";

type Upsert = ResourceUpdate["upserts"][number];

/**
 * What the workers have been told, for those who want it later: a worker that takes the place of another, and one whose
 * request needs what another has asked for before.
 */
export class ResourceCache {
  /** By type and name; undefined: there is none of that name. A type is there once something was said of it. */
  readonly #types = new Map<TypeUrl, Map<string, Upsert | undefined>>();

  /** Takes what was accepted. That there is none is remembered for names that were asked for, as long as they are. */
  record({ type, upserts, removed }: ResourceUpdate, interests: Interests): void {
    const held = this.#types.get(type) ?? new Map<string, Upsert | undefined>();
    this.#types.set(type, held);
    const asked = interests.get(type);
    for (const name of removed) {
      if (asked?.has(name)) held.set(name, undefined);
      else held.delete(name);
    }
    for (const upsert of upserts) held.set(upsert.name, upsert);
  }

  /** What there is of the names that an update brings, as the update that would bring it back. */
  held({ type, upserts }: ResourceUpdate): ResourceUpdate {
    const names = [...new Set(upserts.map(({ name }) => name))];
    const held = names.map((name) => this.#types.get(type)?.get(name));
    return {
      type,
      upserts: held.filter((upsert) => upsert !== undefined),
      removed: names.filter((_, at) => held[at] === undefined),
    };
  }

  /** Forgets what nobody is interested in. */
  prune(interests: Interests): void {
    for (const [type, held] of this.#types) {
      const interest: Interest = interests.get(type) ?? new Set();
      for (const [name, upsert] of held) {
        const wanted = upsert === undefined ? interest.has(name) : isOf(interest, name);
        if (!wanted) held.delete(name);
      }
    }
  }

  /** What there is to tell a worker that has become interested in more, in the order in which it may be told. */
  news(before: Interests, now: Interests): readonly ResourceUpdate[] {
    return ASK_ORDER.flatMap((type) => {
      const held = this.#types.get(type);
      const wanted = now.get(type);
      if (held === undefined || wanted === undefined) return [];
      const former: Interest = before.get(type) ?? new Set();
      const isNews = (name: string): boolean => wanted.has(name) && !former.has(name);
      const all = isNews("*");
      const upserts: Upsert[] = [];
      const removed: string[] = [];
      for (const [name, upsert] of held) {
        if (!all && !isNews(name)) continue;
        if (upsert !== undefined) upserts.push(upsert);
        else if (isNews(name)) removed.push(name);
      }
      return all || upserts.length + removed.length > 0 ? [{ type, upserts, removed }] : [];
    });
  }
}

/** The part of an update that is of interest. */
export function ofInterest(update: ResourceUpdate, interest: Interest | undefined): ResourceUpdate {
  if (interest === undefined) return { ...update, upserts: [], removed: [] };
  return {
    ...update,
    upserts: update.upserts.filter(({ name }) => isOf(interest, name)),
    removed: update.removed.filter((name) => isOf(interest, name)),
  };
}

/** What at least one of them is interested in. */
export function joinInterests(all: readonly Interests[]): Interests {
  const types = new Set(all.flatMap((interests) => [...interests.keys()]));
  return new Map(
    [...types].map((type) => [type, new Set(all.flatMap((interests) => [...(interests.get(type) ?? [])]))]),
  );
}
