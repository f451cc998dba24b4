import { type EncodedResource, NO_RESOURCES, type ResourceMap } from "./encoded-resource.ts";
import type { NameSet } from "./name-set.ts";
import type { Change } from "./subscription.ts";

/** What turns one map of resources into another: a change that streams share. */
export interface ResourceDiff extends Change {
  /** Upserts that the map before did not have. */
  readonly added: number;
  /** Upserts and removals. */
  readonly size: number;
  has(name: string): boolean;
}

const NOTHING: ResourceDiff = diff([], [], 0);

/** Held weakly: a difference is of use while streams are told it, and costs as much as it has resources. */
type Memo<K extends object> = WeakMap<object, WeakMap<K, WeakRef<ResourceDiff>>>;

const diffs: Memo<ResourceMap> = new WeakMap();
const selections: Memo<NameSet> = new WeakMap();

/** The difference of two maps, worked out once for all streams. A new object of the same version is no difference. */
export function diffOf(before: ResourceMap, after: ResourceMap): ResourceDiff {
  if (before === after) return NOTHING;
  return memo(diffs, after, before, () => {
    if (before.size === 0) return everything(after);
    const { set, removed } = after.changesSince(before);
    return compare(
      before,
      set.map(([, resource]) => resource),
      removed,
    );
  });
}

/** That part of `diffOf` that concerns the names. Worked out once for all streams that have the same set of names. */
export function namedDiffOf(before: ResourceMap, after: ResourceMap, names: NameSet): ResourceDiff {
  if (before === after || names.size === 0) return NOTHING;
  if (before.size === 0) return memo(selections, after, names, () => named(after, names));
  const whole = diffOf(before, after);
  if (whole.size === 1) return covers(whole, names) ? whole : NOTHING;
  return memo(selections, whole, names, () => {
    if (covers(whole, names)) return whole;
    return compare(
      before,
      whole.upserts.filter(({ name }) => names.has(name)),
      whole.removals.filter((name) => names.has(name)),
    );
  });
}

/** For a client that has nothing yet. */
function named(after: ResourceMap, names: NameSet): ResourceDiff {
  const found = [...names].flatMap((name) => after.get(name) ?? []);
  return found.length === after.size ? diffOf(NO_RESOURCES, after) : compare(NO_RESOURCES, found, []);
}

function covers(whole: ResourceDiff, names: NameSet): boolean {
  return (
    whole.upserts.every(({ name }) => names.has(name)) && whole.removals.every((name) => names.has(name))
  );
}

function compare(
  before: ResourceMap,
  set: readonly EncodedResource[],
  removals: readonly string[],
): ResourceDiff {
  let added = 0;
  const upserts: EncodedResource[] = [];
  for (const resource of set) {
    const old = before.get(resource.name);
    if (old === undefined) added += 1;
    if (old?.version !== resource.version) upserts.push(resource);
  }
  return upserts.length === 0 && removals.length === 0 ? NOTHING : diff(upserts, removals, added);
}

/** What a client lacks that has nothing. */
function everything(all: ResourceMap): ResourceDiff {
  let upserts: readonly EncodedResource[] | undefined;
  return {
    get upserts() {
      upserts ??= [...all.values()];
      return upserts;
    },
    removals: [],
    heldBack: false,
    whole: all,
    added: all.size,
    size: all.size,
    has: (name) => all.has(name),
  };
}

/** Sorted, so that equal changes are equal responses. */
function diff(set: EncodedResource[], removed: readonly string[], added: number): ResourceDiff {
  const upserts = set.sort(byName);
  const removals = removed.toSorted();
  let names: ReadonlySet<string> | undefined;
  return {
    upserts,
    removals,
    heldBack: false,
    whole: undefined,
    added,
    size: upserts.length + removals.length,
    has(name) {
      names ??= new Set([...upserts.map((resource) => resource.name), ...removals]);
      return names.has(name);
    },
  };
}

export function byName(a: EncodedResource, b: EncodedResource): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

function memo<K extends object>(
  cache: Memo<K>,
  from: object,
  key: K,
  work: () => ResourceDiff,
): ResourceDiff {
  let known = cache.get(from);
  if (known === undefined) {
    known = new WeakMap();
    cache.set(from, known);
  }
  let result = known.get(key)?.deref();
  if (result === undefined) {
    result = work();
    known.set(key, new WeakRef(result));
  }
  return result;
}
