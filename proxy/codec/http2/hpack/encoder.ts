import type { HeaderList } from "../../../tables/header-list.ts";
import { STATIC_NAMES, STATIC_VALUES } from "./static-table.ts";

/**
 * Field blocks that need no state: names and whole fields from the static table, every value as a literal without
 * Huffman coding that enters no table (RFC 7541 §6.2.2, §6.2.3). A block is built as text of one byte a character.
 */

/** Says that this end keeps no table (§6.3): the beginning of the first block on a connection, and true for good. */
export const NO_TABLE = "\x20";

/** Values that nobody on the way may put into a table (§7.1.3). */
const SENSITIVE: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "set-cookie",
]);

/** Belong to HTTP/1.1, or are said by the head's own fields (RFC 9113 §8.2.2): they are left out. */
const UNSENT: readonly string[] = [
  "connection",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
];

/** How a literal with this name begins; empty for fields that are left out. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ...STATIC_NAMES.slice(1).map((name): [string, string] => {
    const pattern = SENSITIVE.has(name) ? 0x10 : 0x00;
    return [name, integer(4, STATIC_NAMES.indexOf(name), pattern)];
  }),
  ...UNSENT.map((name): [string, string] => [name, ""]),
]);

const STATUSES: readonly string[] = Array.from({ length: 600 }, (_, status) => {
  const index = STATIC_NAMES.findIndex(
    (name, at) => name === ":status" && STATIC_VALUES[at] === String(status),
  );
  return index > 0 ? indexed(index) : literal(":status", String(status));
});

/** A whole field of the static table. */
export function indexed(index: number): string {
  return String.fromCharCode(0x80 | index);
}

export function encodeStatus(status: number): string {
  return STATUSES[status] ?? literal(":status", String(status));
}

export function encodeHeaders(headers: HeaderList): string {
  const { length } = headers;
  let block = "";
  for (let index = 0; index < length; index++) {
    block += literal(headers.nameAt(index), headers.valueAt(index));
  }
  return block;
}

/** `name` is lower case; both hold characters of one byte. */
export function literal(name: string, value: string): string {
  const known = NAMES.get(name);
  if (known === undefined) return `\0${length(name.length)}${name}${length(value.length)}${value}`;
  return known === "" ? "" : known + length(value.length) + value;
}

function length(count: number): string {
  return count < 127 ? String.fromCharCode(count) : integer(7, count, 0);
}

/** RFC 7541 §5.1: behind a prefix of so many bits, in a byte whose other bits are `pattern`. */
function integer(prefix: number, value: number, pattern: number): string {
  const most = (1 << prefix) - 1;
  if (value < most) return String.fromCharCode(pattern | value);
  let text = String.fromCharCode(pattern | most);
  let rest = value - most;
  for (; rest >= 0x80; rest >>>= 7) text += String.fromCharCode(0x80 | (rest & 0x7f));
  return text + String.fromCharCode(rest);
}
