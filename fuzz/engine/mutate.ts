import type { Random } from "../../test/harness/random.ts";

/** Makes another input from one; `other` is a second one, to take parts of. */
export type Mutate = (random: Random, input: Buffer, other: Buffer, words: readonly string[]) => Buffer;

/** Where counters and signs of lengths turn. */
const NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0xffff_ffff];
const MOST_CHANGES = 6;
const MOST_REPEATED = 512;

/** A few changes one after the other, that know nothing of the form. */
export const mutateBytes: Mutate = (random, input, other, words) => {
  let bytes = input;
  for (let change = 1 + random.below(MOST_CHANGES); change > 0; change--)
    bytes = once(random, bytes, other, words);
  return bytes;
};

function once(random: Random, bytes: Buffer, other: Buffer, words: readonly string[]): Buffer {
  const at = random.below(bytes.length + 1);
  const end = at + random.below(Math.min(bytes.length - at, 64) + 1);
  switch (random.below(9)) {
    case 0:
      return replaced(bytes, at, at + 1, Buffer.from([random.below(256)]));
    case 1:
      return replaced(bytes, at, at + 1, Buffer.from([(bytes[at] ?? 0) ^ (1 << random.below(8))]));
    case 2:
      return replaced(bytes, at, end, Buffer.alloc(0));
    case 3:
      return replaced(bytes, end, end, repeated(bytes.subarray(at, end), 1 + random.below(4)));
    case 4:
      return withNumber(random, bytes, at);
    case 5: {
      const from = random.below(other.length + 1);
      return replaced(bytes, at, end, other.subarray(from, from + random.below(256)));
    }
    case 6:
      return bytes.subarray(0, at);
    case 7:
      return Buffer.concat([bytes, other.subarray(random.below(other.length + 1))]);
    default:
      return words.length === 0 ? bytes : withWord(random, bytes, at, random.pick(words));
  }
}

function withWord(random: Random, bytes: Buffer, at: number, word: string): Buffer {
  const text = Buffer.from(word, "latin1");
  return replaced(bytes, at, random.chance(0.5) ? at : at + text.length, text);
}

function withNumber(random: Random, bytes: Buffer, at: number): Buffer {
  const width = random.pick([1, 2, 3, 4]);
  const number = Buffer.alloc(4);
  number.writeUInt32BE(random.pick(NUMBERS));
  return replaced(bytes, at, at + width, number.subarray(4 - width));
}

function repeated(bytes: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes)).subarray(0, MOST_REPEATED);
}

function replaced(bytes: Buffer, from: number, to: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);
}
