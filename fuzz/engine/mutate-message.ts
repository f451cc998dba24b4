import type { Random } from "../../test/harness/random.ts";
import { type Mutate, mutateBytes } from "./mutate.ts";

/** One field of a protobuf message as it is on the wire; `head` is its key, and its length where it has one. */
interface Field {
  readonly key: number;
  readonly raw: Buffer;
  /** Of fields with a length: text, octets or a message. */
  readonly body: Buffer | undefined;
}

const LENGTH_DELIMITED = 2;
const DEEPEST = 12;

/** Changes a protobuf message so that it mostly stays one: a field goes, comes twice, comes from elsewhere, or changes. */
export const mutateMessage: Mutate = (random, input, other, words) =>
  random.chance(0.1) ? mutateBytes(random, input, other, words) : changed(random, input, other, words, 0);

function changed(
  random: Random,
  input: Buffer,
  other: Buffer,
  words: readonly string[],
  depth: number,
): Buffer {
  const fields = fieldsOf(input);
  if (fields === undefined || fields.length === 0 || depth > DEEPEST)
    return mutateBytes(random, input, other, words);
  const at = random.below(fields.length);
  const field = fields[at];
  if (field === undefined) return input;
  const chance = random.below(10);
  if (chance === 0) fields.splice(at, 1);
  else if (chance === 1) fields.splice(at, 0, field);
  else if (chance === 2) fields.splice(at, 1, ...(fieldsOf(other) ?? []).slice(0, 1 + random.below(3)));
  else if (field.body === undefined) {
    const value = random.chance(0.5) ? random.below(4) : random.pick([0x7fff_ffff, 1 << 30, 65_536, 1000]);
    const raw = (field.key & 7) === 0 ? Buffer.concat([varint(field.key), varint(value)]) : field.raw;
    fields.splice(at, 1, { ...field, raw });
  } else {
    const inside = (fieldsOf(other) ?? []).find(({ key }) => key === field.key)?.body ?? other;
    const body = changed(random, field.body, inside, words, depth + 1);
    fields.splice(at, 1, { key: field.key, raw: delimited(field.key, body), body });
  }
  return Buffer.concat(fields.map(({ raw }) => raw));
}

/** Undefined: this is no message. */
function fieldsOf(bytes: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const key = readVarint(bytes, at);
    if (key === undefined || key.value >>> 3 === 0) return undefined;
    const end = endOf(bytes, key.value & 7, key.next);
    if (end === undefined || end.at > bytes.length) return undefined;
    const body =
      (key.value & 7) === LENGTH_DELIMITED ? bytes.subarray(end.at - end.length, end.at) : undefined;
    fields.push({ key: key.value, raw: bytes.subarray(at, end.at), body });
    at = end.at;
  }
  return fields;
}

function endOf(
  bytes: Buffer,
  wireType: number,
  at: number,
): { readonly at: number; readonly length: number } | undefined {
  if (wireType === 1) return { at: at + 8, length: 8 };
  if (wireType === 5) return { at: at + 4, length: 4 };
  const number = readVarint(bytes, at);
  if (number === undefined) return undefined;
  if (wireType === 0) return { at: number.next, length: 0 };
  return wireType === LENGTH_DELIMITED ? { at: number.next + number.value, length: number.value } : undefined;
}

function readVarint(
  bytes: Buffer,
  from: number,
): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  for (let at = from, scale = 1; at < bytes.length && at < from + 5; at++, scale *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next: at + 1 };
  }
  return undefined;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}

function delimited(key: number, body: Buffer): Buffer {
  return Buffer.concat([varint(key), varint(body.length), body]);
}
