import type { StoredObject } from "../../mesh/model/object.ts";
import type { StoreChange } from "../store/config-store.ts";
import { keyOf } from "./config-index.ts";

/** The changes that bring objects into a state that has none, `keptOf` them being what stays in force meanwhile. */
export function asAdded(
  objects: readonly StoredObject[],
  keptOf: (object: StoredObject) => StoredObject | undefined = () => undefined,
): readonly StoreChange[] {
  return objects.map((after) => ({ key: keyOf(after), before: undefined, after, kept: keptOf(after) }));
}
