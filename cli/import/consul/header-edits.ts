import type { HeaderEdits } from "./entry-schemas.ts";
import { said } from "./manifest.ts";

export interface Edited {
  readonly RequestHeaders?: HeaderEdits | undefined;
  readonly ResponseHeaders?: HeaderEdits | undefined;
}

/** What a route, a split or a gateway's service does to the headers; undefined when nothing. */
export function headerOperations(edited: Edited): Record<string, unknown> | undefined {
  const operations = said({ request: edits(edited.RequestHeaders), response: edits(edited.ResponseHeaders) });
  return Object.keys(operations).length === 0 ? undefined : operations;
}

/** The edits of the outer one, then those of the inner. */
export function withInner(outer: Edited, inner: Edited): Edited {
  return {
    RequestHeaders: merged(outer.RequestHeaders, inner.RequestHeaders),
    ResponseHeaders: merged(outer.ResponseHeaders, inner.ResponseHeaders),
  };
}

function merged(outer: HeaderEdits, inner: HeaderEdits): HeaderEdits {
  if (outer === undefined || inner === undefined) return outer ?? inner;
  return {
    Add: { ...outer.Add, ...inner.Add },
    Set: { ...outer.Set, ...inner.Set },
    Remove: [...(outer.Remove ?? []), ...(inner.Remove ?? [])],
  };
}

function edits(written: HeaderEdits): Record<string, unknown> | undefined {
  const { Set: set = {}, Add: add = {}, Remove: remove = [] } = written ?? {};
  const operations = said({
    set: Object.keys(set).length === 0 ? undefined : set,
    add: Object.keys(add).length === 0 ? undefined : add,
    remove: remove.length === 0 ? undefined : remove,
  });
  return Object.keys(operations).length === 0 ? undefined : operations;
}
