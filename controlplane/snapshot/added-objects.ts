import type { StoredObject } from "../../mesh/model/object.ts";
import type { StoreChange } from "../store/config-store.ts";
import { keyOf } from "./config-index.ts";

/** The changes that bring objects into a state that has none. */
export function asAdded(objects: readonly StoredObject[]): readonly StoreChange[] {
  return objects.map((after) => ({ key: keyOf(after), before: undefined, after }));
}
