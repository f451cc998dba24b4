import assert from "node:assert/strict";
import { createPublicKey, type KeyObject, sign, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { readCertificateFacts, subjectKeyId } from "../../mesh/identity/certificate-facts.ts";
import { newCaKey } from "../../test/harness/ca-certificates.ts";
import { mintRoot, mintSvid } from "../../test/harness/test-certificates.ts";
import { type CaFields, issuerFields, signIntermediate, signRoot } from "./certificate-template.ts";
import { randomSerial } from "./serial.ts";
import { signatureAlgorithmOf } from "./signature-algorithm.ts";
import { validateCa } from "./validate-ca.ts";

const NOW = Math.floor(Date.now() / 1000) * 1000;
const [rootKey, key, otherKey] = [newCaKey("P-384"), newCaKey("P-256"), newCaKey("P-256")];

function fields(of: KeyObject, over: Partial<CaFields> = {}): CaFields {
  return {
    trustDomain: "cluster.local",
    publicKeyDer: createPublicKey(of).export({ type: "spki", format: "der" }),
    serial: randomSerial(),
    notBeforeMs: NOW,
    notAfterMs: NOW + 3_600_000,
    ...over,
  };
}

const selfSigned = (ca: CaFields, by: KeyObject): Buffer => {
  const algorithm = signatureAlgorithmOf(by);
  return signRoot(ca, algorithm, (tbs) => sign(algorithm.hash, tbs, by));
};
const wantedRoot = fields(rootKey);
const root = new X509Certificate(selfSigned(wantedRoot, rootKey));

const below = (ca: CaFields, by: KeyObject = rootKey): Buffer => {
  const facts = readCertificateFacts(root.raw);
  const id = Buffer.from(subjectKeyId(facts) ?? "", "hex");
  const algorithm = signatureAlgorithmOf(by);
  return signIntermediate(issuerFields(facts.subject, id, algorithm), ca, (tbs) =>
    sign(algorithm.hash, tbs, by),
  );
};

test("a root and a CA below it that are what was wanted pass", () => {
  validateCa(root.raw, wantedRoot);
  const wanted = fields(key);
  validateCa(below(wanted), wanted, root);
});

const wanted = fields(key);
const good = below(wanted);
/** The trust domain in the constraint comes last in the certificate's extensions. */
const flipped = Buffer.from(good);
flipped.write("clustex", good.lastIndexOf("cluster.local"), "latin1");

for (const [name, bytes, want, issuer] of [
  ["a root that another key signed", selfSigned(wantedRoot, otherKey), wantedRoot, undefined],
  ["a root of another key", selfSigned(fields(otherKey), otherKey), wantedRoot, undefined],
  ["a CA below a root without a constraint", selfSigned(fields(key), key), fields(key), root],
  ["a CA for another trust domain", below(fields(key, { trustDomain: "cluster.loca" })), wanted, root],
  ["a CA for a part of the trust domain", below(fields(key, { trustDomain: ".local" })), wanted, root],
  ["a CA of another key", below(fields(otherKey)), wanted, root],
  ["a CA that another key signed", below(wanted, newCaKey("P-384")), wanted, root],
  ["a CA that lives longer than wanted", below({ ...wanted, notAfterMs: NOW + 7_200_000 }), wanted, root],
  [
    "a CA that outlives its root",
    below(fields(key, { notAfterMs: NOW + 9e6 })),
    fields(key, { notAfterMs: NOW + 9e6 }),
    root,
  ],
  ["a byte of it that is another", flipped, wanted, root],
  ["a leaf", mintSvid(mintRoot(), "spiffe://cluster.local/ns/a/sa/b").der, wanted, root],
  ["rubbish", Buffer.from("rubbish"), wanted, root],
] as const) {
  test(`${name} does not pass`, () => {
    assert.throws(() => validateCa(bytes, want, issuer), { code: "ca.self-check" });
  });
}
