import type { HeaderEdit, HeaderEdits } from "../model/route.ts";
import type { HeaderList } from "./header-list.ts";

/** Applies the edits of cluster, route, virtual host and route configuration, in that order (Envoy's default). */
export function applyEdits(headers: HeaderList, levels: readonly HeaderEdits[]): void {
  for (const { remove, add } of levels) {
    for (const name of remove) headers.delete(name);
    for (const edit of add) applyEdit(headers, edit);
  }
}

function applyEdit(headers: HeaderList, { name, value, action }: HeaderEdit): void {
  switch (action) {
    case "append":
      return headers.append(name, value);
    case "set":
      return headers.set(name, value);
    case "add-if-absent":
      return headers.has(name) ? undefined : headers.append(name, value);
    case "replace-if-present":
      return headers.has(name) ? headers.set(name, value) : undefined;
  }
}
