import { HUFFMAN_CODES } from "../hpack/huffman-code.ts";

/** The text in the code of RFC 7541 appendix B, padded with ones: what is only ever read by the codec itself. */
export function encodeHuffman(text: string): Buffer {
  let bits = "";
  for (const character of text) {
    const code = HUFFMAN_CODES[character.charCodeAt(0)];
    if (code === undefined) throw new Error("not a byte");
    bits += code.bits.toString(2).padStart(code.length, "0");
  }
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  return Buffer.from(padded.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
}
