import { ConnectionError, ErrorCode } from "../error-code.ts";
import { END_OF_STRING, HUFFMAN_CODES } from "./huffman-code.ts";

/**
 * The code as a machine that takes four bits a step: no code is shorter than five, so a step ends at most one symbol.
 * A step is `next state | EMITS | symbol << 16`; states are the inner nodes of the code's tree.
 */
const EMITS = 0x100;
const FAILS = 0x200;
const { steps: STEPS, padding: PADDING } = build();

const SMALL = 4096;
const scratch = Buffer.alloc(SMALL);

/** The string in `bytes[from..to)` (RFC 7541 §5.2). Throws ConnectionError. */
export function decodeHuffman(bytes: Buffer, from: number, to: number): string {
  const most = Math.ceil(((to - from) * 8) / 5);
  const out = most <= SMALL ? scratch : Buffer.allocUnsafe(most);
  let length = 0;
  let state = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    let step = STEPS[(state << 4) | (byte >> 4)] ?? FAILS;
    if ((step & EMITS) !== 0) out[length++] = step >> 16;
    const middle = step;
    step = STEPS[((step & 0xff) << 4) | (byte & 0xf)] ?? FAILS;
    if ((step & EMITS) !== 0) out[length++] = step >> 16;
    if (((step | middle) & FAILS) !== 0)
      throw new ConnectionError(ErrorCode.compressionError, "Huffman code");
    state = step & 0xff;
  }
  // What is left of the last byte is the beginning of the longest code, and shorter than a byte.
  if (PADDING[state] === 0) throw new ConnectionError(ErrorCode.compressionError, "Huffman padding");
  return out.toString("latin1", 0, length);
}

interface Node {
  readonly state: number;
  /** Bits from the root, when they are all ones: what padding may be. */
  readonly ones: number | undefined;
  readonly children: [Node | number | undefined, Node | number | undefined];
}

function build(): { readonly steps: Uint32Array; readonly padding: Uint8Array } {
  const nodes: Node[] = [];
  const grow = (ones: number | undefined): Node => {
    const node: Node = { state: nodes.length, ones, children: [undefined, undefined] };
    nodes.push(node);
    return node;
  };
  const root = grow(0);
  for (const [symbol, { bits, length }] of HUFFMAN_CODES.entries()) {
    let node = root;
    for (let left = length - 1; left >= 0; left--) {
      const bit = ((bits >> left) & 1) as 0 | 1;
      if (left === 0) {
        node.children[bit] = symbol;
      } else {
        const ones = bit === 1 && node.ones !== undefined ? node.ones + 1 : undefined;
        const child = node.children[bit] ?? grow(ones);
        if (typeof child === "number") throw new Error("a code is the beginning of another");
        node.children[bit] = child;
        node = child;
      }
    }
  }
  const steps = new Uint32Array(nodes.length * 16);
  for (const node of nodes) {
    for (let nibble = 0; nibble < 16; nibble++) steps[node.state * 16 + nibble] = walk(root, node, nibble);
  }
  const padding = Uint8Array.from(nodes, ({ ones }) => (ones !== undefined && ones < 8 ? 1 : 0));
  return { steps, padding };
}

function walk(root: Node, from: Node, nibble: number): number {
  let node = from;
  let emitted = 0;
  for (let left = 3; left >= 0; left--) {
    const child = node.children[(nibble >> left) & 1];
    if (child === undefined || child === END_OF_STRING) return FAILS;
    if (typeof child === "number") {
      emitted = EMITS | (child << 16);
      node = root;
    } else {
      node = child;
    }
  }
  return node.state | emitted;
}
