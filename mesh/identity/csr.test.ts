import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import { newKey } from "../../test/harness/test-certificates.ts";
import { createCsr, parseCsr } from "./csr.ts";
import { der, encodeDer, latin1, oid } from "./der.ts";
import { derToPem, pemToDer } from "./pem.ts";

const LABEL = "CERTIFICATE REQUEST";
const refusal = { code: "identity.invalid" };
const spki = (key: KeyObject): Buffer => createPublicKey(key).export({ type: "spki", format: "der" });

test("a request carries the public key and no names", () => {
  const key = newKey();
  const { publicKeyDer, sans } = parseCsr(createCsr(key));
  assert.deepEqual(publicKeyDer, spki(key));
  assert.deepEqual(sans, []);
});

test("a P-384 key may ask, too", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
  assert.deepEqual(parseCsr(createCsr(privateKey)).publicKeyDer, spki(privateKey));
});

test("a request with any one bit flipped is refused", () => {
  const bytes = pemToDer(createCsr(newKey()), LABEL);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => parseCsr(derToPem(changed, LABEL)), refusal, `bit ${bit}`);
  }
});

test("a request that is signed with another key is refused", () => {
  const own = newKey();
  assert.throws(() => parseCsr(request(spki(own), newKey())), refusal);
  assert.deepEqual(parseCsr(request(spki(own), own)).publicKeyDer, spki(own));
});

const strangers: readonly { readonly name: string; readonly key: () => KeyObject }[] = [
  { name: "secp256k1", key: () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey },
  { name: "P-521", key: () => generateKeyPairSync("ec", { namedCurve: "secp521r1" }).privateKey },
  {
    name: "P-256 with explicit parameters",
    key: () => generateKeyPairSync("ec", { namedCurve: "prime256v1", paramEncoding: "explicit" }).privateKey,
  },
];

for (const { name, key } of strangers) {
  test(`a key on ${name} is refused`, () => {
    const stranger = key();
    assert.throws(() => parseCsr(request(spki(stranger), stranger)), refusal);
  });
}

test("RSA keys of 2048 bits are accepted, of 1024 bits not", () => {
  for (const [bits, fine] of [
    [1024, false],
    [2048, true],
  ] as const) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
    const pem = request(spki(privateKey), privateKey, "1.2.840.113549.1.1.11");
    if (fine) assert.deepEqual(parseCsr(pem).publicKeyDer, spki(privateKey));
    else assert.throws(() => parseCsr(pem), refusal);
  }
});

test("Ed25519 keys and algorithms that do not fit the key are refused", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  assert.throws(() => parseCsr(request(spki(privateKey), newKey())), refusal);
  const ec = newKey();
  assert.throws(() => parseCsr(request(spki(ec), ec, "1.2.840.113549.1.1.11")), refusal);
  assert.throws(() => parseCsr(request(spki(ec), ec, "1.2.840.10045.4.1")), refusal);
});

test("what is no request is refused", () => {
  const certificate = derToPem(Buffer.from([0x30, 0x00]), "CERTIFICATE");
  const csr = createCsr(newKey());
  const texts = ["", "x", certificate, `${csr}${csr}`, csr.replaceAll("REQUEST", "X"), "A".repeat(20_000)];
  for (const text of texts) assert.throws(() => parseCsr(text), refusal);
});

const openssl = spawnSync("openssl", ["version"]).status === 0;

test("OpenSSL verifies our requests, and we read its names", { skip: !openssl && "no openssl here" }, () => {
  const checked = spawnSync("openssl", ["req", "-verify", "-noout"], {
    input: createCsr(newKey()),
    encoding: "utf8",
  });
  assert.equal(checked.status, 0, checked.stderr);
  const san = "subjectAltName=URI:spiffe://td/ns/a/sa/b,DNS:c";
  const pem = execFileSync(
    "openssl",
    [
      "req",
      "-new",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      "/dev/null",
    ].concat(["-subj", "/O=any", "-addext", san]),
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  assert.deepEqual(parseCsr(pem).sans, ["spiffe://td/ns/a/sa/b", "dns:c"]);
});

/** A request as anyone might put it together. */
function request(publicKey: Buffer, signer: KeyObject, algorithm = "1.2.840.10045.4.3.2"): string {
  const info = der.sequence(der.integer("\0"), der.sequence(), der.encoded(publicKey), der.explicit(0));
  const signature = sign("sha256", encodeDer(info), signer);
  const whole = der.sequence(info, der.sequence(der.oid(oid(algorithm))), der.bitString(latin1(signature)));
  return derToPem(encodeDer(whole), LABEL);
}
