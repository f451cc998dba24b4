/**
 * RFC 7541 appendix B as the lengths of its codes: for the bytes 0 to 255 and then for the end of the string, runs as
 * `length*count`. The code is canonical: codes of one length are numbered in the order of their symbols, so the lengths
 * say all.
 */
const LENGTHS = `13 23 28*7 24 30 28*2 30 28*8 30 28*9
6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10
13 6 7*22 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28
20 22 20*2 22*3 23 22 23*5 24 23 24*2 22 23 24 23*4 21 22 23 22 23*2 24
22 21 20 22*2 23*2 21 23 22*2 24 21 22 23*2 21*2 22 21 23 22 23*2 20 22*3 23 22*2 23
26*2 20 19 22 23 22 25 26*3 27*2 26 24 25 19 21 26 27*2 26 27 24 21*2 26*2 28 27*3
20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 27 26*2 27*5 28 27*5 26 30`;

/** The symbol that ends a string in theory and must never be found in one (§5.2). */
export const END_OF_STRING = 256;

export interface HuffmanCode {
  readonly bits: number;
  readonly length: number;
}

/** By symbol. */
export const HUFFMAN_CODES: readonly HuffmanCode[] = assign(
  LENGTHS.split(/\s/).flatMap((run) => {
    const [length = "", count = "1"] = run.split("*");
    return Array.from({ length: Number(count) }, () => Number(length));
  }),
);

function assign(lengths: readonly number[]): readonly HuffmanCode[] {
  const codes: HuffmanCode[] = [];
  let next = 0;
  for (let length = 1; length <= 30; length++, next *= 2) {
    for (const [symbol, wanted] of lengths.entries()) {
      if (wanted === length) codes[symbol] = { bits: next++, length };
    }
  }
  return codes;
}
