import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { mintRoot, mintSvid, newKey } from "../../test/harness/test-certificates.ts";
import { derToPem, joinPemChain, pemToDer, splitPemChain } from "./pem.ts";
import { certificatePin, spkiPin } from "./spki-pin.ts";
import { parseX509Svid } from "./x509-svid.ts";

const root = mintRoot();
const id = "spiffe://td/ns/a/sa/b";
const leaf = mintSvid(root, id);

test("an SVID is put together from the chain and the key, without the root", () => {
  const svid = parseX509Svid({ chain: [leaf.pem, root.pem], keyPem: leaf.keyPem, trustDomain: "td" });
  const certificate = new X509Certificate(leaf.pem);
  assert.equal(svid.spiffeId, id);
  assert.equal(svid.chainPem, leaf.pem);
  assert.equal(svid.notAfterMs, Date.parse(certificate.validTo));
  assert.equal(svid.notBeforeMs, Date.parse(certificate.validFrom));
  assert.equal(svid.serial, certificate.serialNumber.toLowerCase());
});

const wrong = [
  { name: "an empty chain", chain: "", keyPem: leaf.keyPem },
  { name: "another key", chain: leaf.pem, keyPem: mintSvid(root, id).keyPem },
  { name: "a key that is none", chain: leaf.pem, keyPem: "x" },
  { name: "the root first", chain: [root.pem, leaf.pem], keyPem: root.keyPem },
  {
    name: "bytes that are no certificate",
    chain: derToPem(Buffer.from([0x30, 0x00]), "CERTIFICATE"),
    keyPem: leaf.keyPem,
  },
];

for (const { name, chain, keyPem } of wrong) {
  test(`no SVID is made of ${name}`, () => {
    assert.throws(() => parseX509Svid({ chain, keyPem, trustDomain: "td" }), { code: "identity.invalid" });
  });
}

test("no SVID is made for another trust domain", () => {
  const input = { chain: leaf.pem, keyPem: leaf.keyPem, trustDomain: "other" };
  assert.throws(() => parseX509Svid(input), { code: "identity.invalid" });
});

test("chains are split and joined, whatever stands between the certificates", () => {
  const noisy = `subject=/CN=x\n${leaf.pem.trim()}\r\nissuer\n${root.pem}`;
  assert.deepEqual(splitPemChain(noisy), [leaf.pem, root.pem]);
  assert.equal(joinPemChain([leaf.pem.trim(), root.pem]), leaf.pem + root.pem);
  assert.throws(() => splitPemChain(root.pem.repeat(33)), { code: "identity.invalid" });
});

test("PEM is one block with its label, and round trips", () => {
  for (const length of [1, 47, 48, 49, 200]) {
    const bytes = Buffer.alloc(length, length);
    assert.deepEqual(pemToDer(derToPem(bytes, "CERTIFICATE"), "CERTIFICATE"), bytes);
  }
  assert.throws(() => pemToDer(leaf.pem, "PUBLIC KEY"), { code: "identity.invalid" });
  assert.throws(() => pemToDer(leaf.pem + root.pem, "CERTIFICATE"), { code: "identity.invalid" });
});

test("a certificate's pin is its key's and outlives the certificate", () => {
  const key = newKey();
  const one = new X509Certificate(mintSvid(root, id, { key }).pem);
  const two = new X509Certificate(mintSvid(root, id, { key }).pem);
  assert.notEqual(one.serialNumber, two.serialNumber);
  assert.equal(certificatePin(one), certificatePin(two));
  assert.match(certificatePin(one), /^[A-Za-z0-9_-]{43}$/);
  assert.notEqual(spkiPin(Buffer.from("a")), spkiPin(Buffer.from("b")));
});
