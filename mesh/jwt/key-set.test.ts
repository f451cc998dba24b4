import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { test } from "node:test";
import { parseKeySet } from "./key-set.ts";
import { NO_KEYS } from "./no-keys.ts";

function jwk(...args: readonly ["ec", string] | readonly ["rsa", number] | readonly ["ed25519"]): JsonWebKey {
  const [type, of] = args;
  const pair =
    type === "ec"
      ? generateKeyPairSync("ec", { namedCurve: of })
      : type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: of })
        : generateKeyPairSync("ed25519");
  return pair.privateKey.export({ format: "jwk" });
}

const EC = jwk("ec", "P-256");
const RSA = jwk("rsa", 2048);
const ED = jwk("ed25519");
const set = (...keys: readonly object[]): string => JSON.stringify({ keys });

const taken: readonly (readonly [name: string, key: object])[] = [
  ["P-256", EC],
  ["P-384", jwk("ec", "P-384")],
  ["P-521", jwk("ec", "P-521")],
  ["Ed25519", ED],
  ["RSA of 2048 bits", RSA],
  ["a key for signatures", { ...RSA, use: "sig" }],
  ["a key for one algorithm", { ...RSA, alg: "PS384", kid: "a" }],
];
for (const [name, key] of taken) {
  test(`a set may have ${name}, of which the public part is kept`, () => {
    const parsed = parseKeySet(set(key));
    assert.ok(parsed.kind === "keys");
    assert.equal(parsed.keys.length, 1);
    for (const secret of ["d", "p", "q", "dp", "dq", "qi"]) assert.ok(!parsed.text.includes(`"${secret}":`));
    assert.deepEqual(parseKeySet(parsed.text), parsed, "it reads itself again");
  });
}

const leftOut: readonly (readonly [name: string, key: unknown])[] = [
  ["a shared secret", { kty: "oct", k: "AAAA", alg: "HS256" }],
  ["a key for encryption", { ...RSA, use: "enc" }],
  ["RSA of 1024 bits", jwk("rsa", 1024)],
  ["an algorithm that is none", { ...RSA, alg: "none" }],
  ["an algorithm of shared secrets", { ...RSA, alg: "HS256" }],
  ["the algorithm of another type", { ...RSA, alg: "ES256" }],
  ["the algorithm of another curve", { ...EC, alg: "ES384" }],
  ["a point that is not on its curve", { ...EC, y: EC.x }],
  ["an unknown curve", { ...EC, crv: "secp256k1" }],
  ["X25519", { kty: "OKP", crv: "X25519", x: ED.x }],
  ["an RSA key without a modulus", { kty: "RSA", e: "AQAB" }],
  ["a kid that is no text", { ...RSA, kid: 1 }],
  ["nothing", null],
  ["a text", "key"],
];
for (const [name, key] of leftOut) {
  test(`a set is taken without ${name}`, () => {
    const parsed = parseKeySet(JSON.stringify({ keys: [key, { ...ED, kid: "good" }] }));
    assert.ok(parsed.kind === "keys");
    assert.deepEqual(
      parsed.keys.map(({ kid }) => kid),
      ["good"],
    );
    assert.equal(parseKeySet(JSON.stringify({ keys: [key] })).kind, "problem");
  });
}

const problems: readonly (readonly [text: string, reason: RegExp])[] = [
  ["", /no JSON object/],
  ["[]", /no JSON object/],
  ['{"keys":{}}', /no JSON object/],
  ['{"keys":[],"keys":[]}', /no JSON object/],
  ['{"keys":[]}', /no public key/],
  [set(...Array.from({ length: 101 }, () => ED)), /101 keys/],
  [set(...Array.from({ length: 10_000 }, () => ED)), /10000 keys/],
];
for (const [text, reason] of problems) {
  test(`a set that is refused: ${text.slice(0, 40)}`, () => {
    const parsed = parseKeySet(text);
    assert.ok(parsed.kind === "problem");
    assert.match(parsed.reason, reason);
  });
}

test("the key that stands for keys that cannot be had is nobody's: its x is a hash", () => {
  const parsed = parseKeySet(NO_KEYS);
  assert.ok(parsed.kind === "keys");
  const { x } = parsed.keys[0]?.key.export({ format: "jwk" }) ?? {};
  const hash = createHash("sha256").update("lateen: a key that nobody has, 5").digest("base64url");
  assert.equal(x, hash);
  assert.equal(parsed.text, NO_KEYS);
});
