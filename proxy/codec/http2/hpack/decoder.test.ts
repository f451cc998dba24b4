import assert from "node:assert/strict";
import { test } from "node:test";
import { HpackDecoder } from "./decoder.ts";
import { STATIC_LENGTH } from "./static-table.ts";

function decodeHex(decoder: HpackDecoder, hex: string): string[] {
  const block = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const fields: string[] = [];
  decoder.decode(block, 0, block.length, { field: (name, value) => fields.push(`${name}: ${value}`) });
  return fields;
}

const FIRST = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const SECOND = [...FIRST, "cache-control: no-cache"];
const THIRD = [
  ":method: GET",
  ":scheme: https",
  ":path: /index.html",
  ":authority: www.example.com",
  "custom-key: custom-value",
];
const LOCATION = "location: https://www.example.com";
const DATE = "date: Mon, 21 Oct 2013 20:13:21 GMT";
const LATER = "date: Mon, 21 Oct 2013 20:13:22 GMT";
const PRIVATE = "cache-control: private";
const COOKIE = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

/** RFC 7541 appendix C, blocks of one connection each. */
const vectors: readonly {
  readonly name: string;
  readonly tableSize?: number;
  readonly blocks: readonly (readonly [hex: string, fields: readonly string[]])[];
}[] = [
  {
    name: "C.2.1 a literal that goes into the table",
    blocks: [
      ["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", ["custom-key: custom-header"]],
      ["be", ["custom-key: custom-header"]],
    ],
  },
  {
    name: "C.2.2 a literal that stays out",
    blocks: [["040c 2f73 616d 706c 652f 7061 7468", [":path: /sample/path"]]],
  },
  {
    name: "C.2.3 a literal that never goes in",
    blocks: [["1008 7061 7373 776f 7264 0673 6563 7265 74", ["password: secret"]]],
  },
  { name: "C.2.4 an indexed field", blocks: [["82", [":method: GET"]]] },
  {
    name: "C.3 requests",
    blocks: [
      ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", FIRST],
      ["8286 84be 5808 6e6f 2d63 6163 6865", SECOND],
      ["8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", THIRD],
    ],
  },
  {
    name: "C.4 requests in Huffman's code",
    blocks: [
      ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", FIRST],
      ["8286 84be 5886 a8eb 1064 9cbf", SECOND],
      ["8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", THIRD],
    ],
  },
  {
    name: "C.5 responses that push each other out of the table",
    tableSize: 256,
    blocks: [
      [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        [":status: 302", PRIVATE, DATE, LOCATION],
      ],
      ["4803 3330 37c1 c0bf", [":status: 307", PRIVATE, DATE, LOCATION]],
      [
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
        [":status: 200", PRIVATE, LATER, LOCATION, "content-encoding: gzip", COOKIE],
      ],
    ],
  },
  {
    name: "C.6 the same in Huffman's code",
    tableSize: 256,
    blocks: [
      [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        [":status: 302", PRIVATE, DATE, LOCATION],
      ],
      ["4883 640e ffc1 c0bf", [":status: 307", PRIVATE, DATE, LOCATION]],
      [
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        [":status: 200", PRIVATE, LATER, LOCATION, "content-encoding: gzip", COOKIE],
      ],
    ],
  },
];

for (const { name, tableSize, blocks } of vectors) {
  test(name, () => {
    const decoder = new HpackDecoder();
    // 256 behind a prefix of five bits.
    if (tableSize === 256) assert.deepEqual(decodeHex(decoder, "3fe101"), []);
    for (const [hex, fields] of blocks) assert.deepEqual(decodeHex(decoder, hex), fields);
  });
}

const broken: readonly { readonly name: string; readonly hex: string; readonly why: RegExp }[] = [
  { name: "§2.3.3 an index outside of the tables", hex: "be", why: /outside/ },
  { name: "§2.3.3 the name of an index outside of the tables", hex: "7f0061", why: /outside/ },
  { name: "§6.1 index 0", hex: "80", why: /index 0/ },
  { name: "§5.1 an integer that does not end", hex: "ffffffffffffff", why: /integer too large/ },
  { name: "§5.1 an integer that is cut off", hex: "ff80", why: /integer cut off/ },
  { name: "§5.2 a string longer than its block", hex: "00036162", why: /string cut off/ },
  { name: "§5.2 a string without a length", hex: "0001610261", why: /string cut off/ },
  { name: "§6.2 a literal without its value", hex: "000161", why: /string cut off/ },
  { name: "§6.3 a table larger than allowed", hex: "3fe21f", why: /larger/ },
  { name: "§4.2 a table size after a field", hex: "8220", why: /after a field/ },
  { name: "§4.2 three table sizes", hex: "202020", why: /too many/ },
];
for (const { name, hex, why } of broken) {
  test(`RFC 7541 ${name} is refused`, () => {
    assert.throws(() => decodeHex(new HpackDecoder(), hex), { message: why, code: 9 });
  });
}

test("a table that is agreed to be smaller has to be said so in the next block (RFC 7541 §4.2, RFC 9113 §4.3.1)", () => {
  const agreed = new HpackDecoder();
  agreed.limitTable(0);
  assert.deepEqual(decodeHex(agreed, "2082"), [":method: GET"]);
  assert.deepEqual(decodeHex(agreed, "82"), [":method: GET"], "once");
  const silent = new HpackDecoder();
  silent.limitTable(0);
  assert.throws(() => decodeHex(silent, "82"), /no table size update/);
  const larger = new HpackDecoder();
  larger.limitTable(0);
  assert.throws(() => decodeHex(larger, "2182"), /larger/);
});

test("a table that is smaller already owes nothing", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, "20");
  decoder.limitTable(0);
  assert.deepEqual(decodeHex(decoder, "82"), [":method: GET"]);
});

test("without a table a literal that asks for one is read and forgotten", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, "20");
  assert.deepEqual(decodeHex(decoder, "4001610162"), ["a: b"]);
  assert.throws(() => decodeHex(decoder, "be"), /outside/);
});

test("an entry larger than the table empties it (§4.4)", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, "3f15 4001610162");
  assert.deepEqual(decodeHex(decoder, "be"), ["a: b"]);
  decodeHex(decoder, `4001610f${"62".repeat(15)}`);
  assert.deepEqual(decodeHex(decoder, "be"), [`a: ${"b".repeat(15)}`]);
  decodeHex(decoder, `400161 7f01${"62".repeat(128)}`);
  assert.throws(() => decodeHex(decoder, "be"), /outside/);
});

test("the static table has its 61 entries", () => {
  assert.equal(STATIC_LENGTH, 62);
  assert.deepEqual(decodeHex(new HpackDecoder(), "81 90 bd"), [
    ":authority: ",
    "accept-encoding: gzip, deflate",
    "www-authenticate: ",
  ]);
});
