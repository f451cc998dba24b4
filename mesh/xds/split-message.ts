import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Steps } from "../lifecycle/slices.ts";

/** An encoded message, with the values of one of its fields apart. */
export interface SplitMessage {
  /** In their order. Views, not copies. */
  readonly parts: readonly Uint8Array[];
  /** The message without them. */
  readonly rest: Uint8Array;
}

/**
 * Takes the values of a repeated field of messages out of an encoded message, so that a long list can be decoded one by
 * one. Throws what the decoder throws for bytes that are no message.
 */
export function* splitMessage(bytes: Uint8Array, field: number): Steps<SplitMessage> {
  const reader = new BinaryReader(bytes);
  const parts: Uint8Array[] = [];
  const rest: Uint8Array[] = [];
  let restStart = 0;
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, type] = reader.tag();
    if (number === field && type === WireType.LengthDelimited) {
      if (start > restStart) rest.push(bytes.subarray(restStart, start));
      parts.push(reader.bytes());
      restStart = reader.pos;
    } else {
      reader.skip(type, number);
    }
    yield;
  }
  if (restStart < bytes.length) rest.push(bytes.subarray(restStart));
  const [first = new Uint8Array()] = rest;
  return { parts, rest: rest.length > 1 ? Buffer.concat(rest) : first };
}
