import { compileText, type Formatter } from "../format/compile-format.ts";
import type { HeaderEdit, HeaderEdits } from "../model/route.ts";
import type { HttpRecord } from "../telemetry/records.ts";
import type { HeaderList } from "./header-list.ts";

/** Edits whose formats are compiled. */
export interface CompiledEdits {
  readonly remove: readonly string[];
  readonly add: readonly CompiledEdit[];
}

/** One whose value is known beforehand. */
export interface LiteralEdit extends CompiledEdit {
  readonly value: string;
}

interface CompiledEdit {
  readonly name: string;
  readonly value: string | Formatter;
  readonly action: HeaderEdit["action"];
  /** What comes out empty is written nevertheless. */
  readonly keepEmpty?: boolean;
}

/** What the formats of values are about. */
interface EditSubject {
  readonly record: HttpRecord;
  /** On the clock that the record began on. */
  nowMs(): number;
}

const NO_EDITS: CompiledEdits = { remove: [], add: [] };

export function compileEdits({ remove, add }: HeaderEdits): CompiledEdits {
  if (remove.length === 0 && add.length === 0) return NO_EDITS;
  return {
    remove,
    add: add.map(({ value, ...edit }) => ({
      ...edit,
      value: typeof value === "string" ? value : compileText(value, ""),
    })),
  };
}

/** Applies the edits of cluster, route, virtual host and route configuration, in that order (Envoy's default). */
export function applyEdits(
  headers: HeaderList,
  levels: readonly CompiledEdits[],
  subject: EditSubject,
): void {
  for (const { remove, add } of levels) {
    for (const name of remove) headers.delete(name);
    for (const edit of add) {
      if (typeof edit.value === "string") applyEdit(headers, edit, edit.value);
      else applyFormatted(headers, edit, edit.value, subject);
    }
  }
}

function applyFormatted(
  headers: HeaderList,
  edit: CompiledEdit,
  format: Formatter,
  subject: EditSubject,
): void {
  const { record } = subject;
  const value = format(record, subject.nowMs() - record.startedMonotonic);
  // What others have said may be nothing that a header can have.
  if ((value !== "" || edit.keepEmpty) && isValue(value)) applyEdit(headers, edit, value);
}

function isValue(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

function applyEdit(headers: HeaderList, { name, action }: CompiledEdit, value: string): void {
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
