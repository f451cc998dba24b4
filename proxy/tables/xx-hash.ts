/** 64-bit XXH64 (xxHash specification), of the bytes of a text; what Envoy hashes hosts and requests with. */
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const STRIPE = 32;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint => u64((value << bits) | (value >> (64n - bits)));
const round = (lane: bigint, input: bigint): bigint => u64(rotate(u64(lane + input * P2), 31n) * P1);
const merge = (hash: bigint, lane: bigint): bigint => u64((hash ^ round(0n, lane)) * P1 + P4);

export function xxHash64(text: string, seed = 0n): bigint {
  const bytes = Buffer.from(text);
  const stripes = bytes.length - (bytes.length % STRIPE);
  const start = stripes > 0 ? hashStripes(bytes, stripes, seed) : u64(seed + P5);
  return avalanche(hashRest(bytes, stripes, u64(start + BigInt(bytes.length))));
}

function hashStripes(bytes: Buffer, end: number, seed: bigint): bigint {
  let a = u64(seed + P1 + P2);
  let b = u64(seed + P2);
  let c = seed;
  let d = u64(seed - P1);
  for (let at = 0; at < end; at += STRIPE) {
    a = round(a, bytes.readBigUInt64LE(at));
    b = round(b, bytes.readBigUInt64LE(at + 8));
    c = round(c, bytes.readBigUInt64LE(at + 16));
    d = round(d, bytes.readBigUInt64LE(at + 24));
  }
  const mixed = u64(rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n));
  return merge(merge(merge(merge(mixed, a), b), c), d);
}

function hashRest(bytes: Buffer, from: number, start: bigint): bigint {
  let hash = start;
  let at = from;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = u64(rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4);
  }
  if (at + 4 <= bytes.length) {
    hash = u64(rotate(hash ^ u64(BigInt(bytes.readUInt32LE(at)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = u64(rotate(hash ^ u64(BigInt(bytes.readUInt8(at)) * P5), 11n) * P1);
  }
  return hash;
}

function avalanche(value: bigint): bigint {
  let hash = u64((value ^ (value >> 33n)) * P2);
  hash = u64((hash ^ (hash >> 29n)) * P3);
  return hash ^ (hash >> 32n);
}
