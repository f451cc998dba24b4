import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeHuffman } from "../testing/huffman-encode.ts";
import { decodeHuffman } from "./huffman.ts";
import { HUFFMAN_CODES } from "./huffman-code.ts";

const decode = (bytes: Buffer): string => decodeHuffman(bytes, 0, bytes.length);

test("the code is complete: every sequence of bits means something", () => {
  assert.equal(HUFFMAN_CODES.length, 257);
  assert.equal(
    HUFFMAN_CODES.reduce((sum, { length }) => sum + 2 ** -length, 0),
    1,
  );
});

test("codes at the corners of RFC 7541 appendix B", () => {
  const codes: readonly (readonly [symbol: number, bits: number, length: number])[] = [
    [48, 0x0, 5],
    [97, 0x3, 5],
    [32, 0x14, 6],
    [58, 0x5c, 7],
    [38, 0xf8, 8],
    [0, 0x1ff8, 13],
    [92, 0x7fff0, 19],
    [128, 0xfffe6, 20],
    [255, 0x3ffffee, 26],
    [249, 0xffffffe, 28],
    [10, 0x3ffffffc, 30],
    [22, 0x3ffffffe, 30],
    [256, 0x3fffffff, 30],
  ];
  for (const [symbol, bits, length] of codes) assert.deepEqual(HUFFMAN_CODES[symbol], { bits, length });
});

test("every byte, alone and between others, comes back", () => {
  for (let code = 0; code < 256; code++) {
    const text = String.fromCharCode(code);
    assert.equal(decode(encodeHuffman(text)), text);
    assert.equal(decode(encodeHuffman(`a${text}0${text}`)), `a${text}0${text}`);
  }
});

test("strings that are longer than the scratch space come back", () => {
  const text = "x-long/".repeat(5000);
  assert.equal(decode(encodeHuffman(text)), text);
});

const broken: readonly { readonly name: string; readonly bytes: string }[] = [
  { name: "a whole byte of padding", bytes: "1fff" },
  { name: "padding of zeros", bytes: "18" },
  { name: "the end of the string as a symbol", bytes: "3fffffff" },
  { name: "four bytes of ones", bytes: "ffffffff" },
];
for (const { name, bytes } of broken) {
  test(`${name} is refused (RFC 7541 §5.2)`, () => {
    assert.throws(() => decode(Buffer.from(bytes, "hex")), /Huffman/);
  });
}

test("an empty string is one", () => {
  assert.equal(decode(Buffer.alloc(0)), "");
});
