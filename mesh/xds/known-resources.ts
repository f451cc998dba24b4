import { type EncodedResource, NO_RESOURCES, type ResourceMap } from "./encoded-resource.ts";
import { NameSet } from "./name-set.ts";
import { diffOf, namedDiffOf, type ResourceDiff } from "./resource-diff.ts";

/** At least the version of a resource. */
export interface Versioned {
  readonly version: string;
}

/**
 * What a client asked for of one type, and which versions it has of that. Told as a map that it has all of, shared with
 * every other client that has it, and the differences from that: when there are none, a client costs nothing, however
 * many resources it has.
 */
export class KnownResources<K extends Versioned = EncodedResource> {
  #wildcard = false;
  #names = NameSet.empty;
  #base: ResourceMap = NO_RESOURCES;
  /** Instead of what the base has; undefined: the client has none. Only names that it asked for. */
  #differences = new Map<string, K | EncodedResource | undefined>();
  #size = 0;

  get wildcard(): boolean {
    return this.#wildcard;
  }

  /** Names that were asked for one by one. */
  get names(): NameSet {
    return this.#names;
  }

  /** How many resources it has. */
  get size(): number {
    return this.#size;
  }

  /** Names whose version is not that of the last `rebase`. */
  get different(): MapIterator<string> {
    return this.#differences.keys();
  }

  covers(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  get(name: string): K | EncodedResource | undefined {
    const different = this.#differences.get(name);
    if (different !== undefined || this.#differences.has(name)) return different;
    return this.covers(name) ? this.#base.get(name) : undefined;
  }

  /** Names of all that it has. */
  *keys(): Generator<string> {
    const base = this.#wildcard ? this.#base.keys() : this.#names;
    for (const name of base) {
      if (!this.#differences.has(name) && this.#base.has(name)) yield name;
    }
    for (const [name, known] of this.#differences) if (known !== undefined) yield name;
  }

  /** Asks for these as well, of which it has nothing unless through the wildcard. */
  subscribe(added: readonly string[]): void {
    const before = this.#names;
    this.#names = before.edited(added, []);
    if (this.#wildcard || this.#base.size === 0) return;
    for (const name of added) {
      if (!before.has(name) && this.#base.has(name)) this.#differences.set(name, undefined);
    }
  }

  /** Asks for these no more: without the wildcard it has nothing of them from now on. */
  unsubscribe(removed: readonly string[]): void {
    if (!this.#wildcard) {
      for (const name of new Set(removed)) {
        if (this.get(name) !== undefined) this.#size -= 1;
        this.#differences.delete(name);
      }
    }
    this.#names = this.#names.edited([], removed);
  }

  setWildcard(wildcard: boolean): void {
    if (wildcard === this.#wildcard) return;
    // Either way, what is known afterwards is what is known of names that were asked for one by one.
    const known = new Map<string, K | EncodedResource>();
    for (const name of this.#names) {
      const resource = this.get(name);
      if (resource !== undefined) known.set(name, resource);
    }
    this.#wildcard = wildcard;
    this.#base = NO_RESOURCES;
    this.#differences = known;
    this.#size = known.size;
  }

  /** It has this version now; undefined: it has none. Of a name that it did not ask for, nothing is kept. */
  set(name: string, known: K | EncodedResource | undefined): void {
    if (!this.covers(name)) return;
    this.#size += Number(known !== undefined) - Number(this.get(name) !== undefined);
    if (this.#base.get(name)?.version === known?.version) this.#differences.delete(name);
    else this.#differences.set(name, known);
  }

  /** What it lacks of the resources, as a change that it shares with others; undefined when it is one of its own. */
  sharedDiff(resources: ResourceMap): ResourceDiff | undefined {
    return this.#differences.size === 0 ? this.#diff(resources) : undefined;
  }

  /** It has all of the resources now that it asked for: `diff` is what it lacked, and all that it lacked. */
  adopt(resources: ResourceMap, diff: ResourceDiff): void {
    this.#base = resources;
    this.#size += diff.added - diff.removals.length;
  }

  /** Tells the same with these resources as the base. */
  rebase(resources: ResourceMap): void {
    const { upserts, removals } = this.#diff(resources);
    const before = this.#base;
    this.#base = resources;
    const moved = (name: string, version: string | undefined): void => {
      if (!this.#differences.has(name)) this.#differences.set(name, before.get(name));
      else if (this.#differences.get(name)?.version === version) this.#differences.delete(name);
    };
    for (const { name, version } of upserts) moved(name, version);
    for (const name of removals) moved(name, undefined);
  }

  #diff(resources: ResourceMap): ResourceDiff {
    return this.#wildcard ? diffOf(this.#base, resources) : namedDiffOf(this.#base, resources, this.#names);
  }
}
