import type { StoredObject } from "../../mesh/model/object.ts";
import type { FiledObject } from "../../mesh/model/parse-files.ts";

/** Created after everything that says when it was: what a server gives to objects that it has not seen before. */
const NOT_CREATED_YET = Date.UTC(9999, 0, 1);

/**
 * Objects of files as a store would have them after one apply. What was exported from a server keeps its creation time,
 * which decides precedence; the others are equally new, so their names decide.
 */
export function asStored(objects: readonly FiledObject[]): readonly StoredObject[] {
  return objects.map(({ object, file, place }) => {
    const written = Date.parse(place.creationTimestamp ?? "");
    return {
      ...object,
      createdAt: Number.isNaN(written) ? NOT_CREATED_YET : written,
      revision: 1,
      origin: file,
    };
  });
}

export function ofKind<K extends StoredObject["kind"]>(
  objects: readonly StoredObject[],
  kind: K,
): readonly StoredObject<K>[] {
  return objects.filter((object): object is StoredObject<K> => object.kind === kind);
}
