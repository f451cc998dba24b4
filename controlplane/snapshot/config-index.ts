import {
  byPrecedence,
  type Kind,
  type ObjectKey,
  objectKey,
  type StoredObject,
} from "../../mesh/model/object.ts";
import type { StoreChange } from "../store/config-store.ts";

/** Objects of one kind under names that are worked out from them, each list in order of precedence. */
export class ConfigIndex<K extends Kind> {
  readonly #kind: K;
  readonly #namesOf: (object: StoredObject<K>) => readonly string[];
  readonly #byName = new Map<string, readonly StoredObject<K>[]>();

  constructor(kind: K, namesOf: (object: StoredObject<K>) => readonly string[]) {
    this.#kind = kind;
    this.#namesOf = namesOf;
  }

  list(name: string): readonly StoredObject<K>[] {
    return this.#byName.get(name) ?? [];
  }

  /** Takes a change in and returns the names whose list is another now; none when the object is of another kind. */
  update({ before, after }: StoreChange): ReadonlySet<string> {
    const touched = new Set<string>();
    if (this.#is(before)) {
      for (const name of this.#namesOf(before)) this.#set(name, without(this.list(name), before), touched);
    }
    if (this.#is(after)) {
      for (const name of this.#namesOf(after)) {
        this.#set(name, inserted(without(this.list(name), after), after), touched);
      }
    }
    return touched;
  }

  #is(object: StoredObject | undefined): object is StoredObject<K> {
    return object?.kind === this.#kind;
  }

  #set(name: string, list: readonly StoredObject<K>[], touched: Set<string>): void {
    if (list.length === 0) this.#byName.delete(name);
    else this.#byName.set(name, list);
    touched.add(name);
  }
}

export function keyOf({ kind, metadata }: StoredObject): ObjectKey {
  return objectKey(kind, metadata.namespace, metadata.name);
}

function without<T extends StoredObject>(list: readonly T[], { metadata }: StoredObject): readonly T[] {
  const { namespace, name } = metadata;
  return list.filter((one) => one.metadata.name !== name || one.metadata.namespace !== namespace);
}

/** Most objects are newer than all that are there. */
function inserted<T extends StoredObject>(list: readonly T[], object: T): readonly T[] {
  const last = list.at(-1);
  const all = [...list, object];
  return last === undefined || byPrecedence(last, object) < 0 ? all : all.sort(byPrecedence);
}
