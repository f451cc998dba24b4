import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { pemToDer } from "../../mesh/identity/pem.ts";
import { readRevokedCertificates } from "../../mesh/identity/revoked-certificates.ts";
import { isRevoked, verifyPeerSvid } from "../../mesh/identity/verify-peer-svid.ts";
import { newCaKey, rootCa } from "../../test/harness/ca-certificates.ts";
import { mintCrl, mintRoot, mintSvid } from "../../test/harness/test-certificates.ts";
import { openIssuer } from "./issuer.ts";
import { revocationLists } from "./revocation-lists.ts";

const MOST = 1 << 20;
const { certificate, key } = rootCa("example.org", newCaKey("P-256"));
const pem = certificate.toString();
const issuer = openIssuer({ certificate: pem, intermediates: [], roots: [pem] }, key, "example.org");
const serials = ["4100000000000000000000000000000a", "4200000000000000000000000000000b"];
const denied = serials.map((serial) => ({ serial, authority: issuer.id, atMs: Date.now() }));

test("a list tells its issuer and the serials, and OpenSSL gives the same serials", () => {
  const [list = ""] = revocationLists([issuer], denied, 7, Date.now());
  const read = readRevokedCertificates(pemToDer(list, "X509 CRL"), MOST);
  assert.deepEqual([...read.serials], serials);
  const said = execFileSync("openssl", ["crl", "-noout", "-text"], { input: list, encoding: "utf8" });
  for (const serial of serials) assert.ok(said.includes(serial.toUpperCase()), said);
});

test("nobody denied is no list; a list of each authority else, the one without entries too", () => {
  assert.deepEqual(revocationLists([issuer], [], 7, Date.now()), []);
  const other = rootCa("example.org", newCaKey("P-384"));
  const otherPem = other.certificate.toString();
  const second = openIssuer(
    { certificate: otherPem, intermediates: [], roots: [otherPem] },
    other.key,
    "example.org",
  );
  const lists = revocationLists([issuer, second], denied, 7, Date.now()).map((list) =>
    readRevokedCertificates(pemToDer(list, "X509 CRL"), MOST),
  );
  assert.deepEqual(
    lists.map((list) => list.serials.size),
    [2, 0],
  );
});

test("a serial is revoked for its own issuer alone", () => {
  const id = "spiffe://example.org/ns/default/sa/reviews";
  const root = mintRoot("one");
  const svid = mintSvid(root, id);
  const serial = new X509Certificate(svid.der).serialNumber.toLowerCase();
  const ofIssuer = (name: string): Parameters<typeof isRevoked>[1] => {
    const empty = readRevokedCertificates(pemToDer(mintCrl(mintRoot(name)), "X509 CRL"), MOST);
    return [{ ...empty, serials: new Set([serial]) }];
  };
  assert.equal(isRevoked(svid.der, ofIssuer("one")), true);
  assert.equal(isRevoked(svid.der, ofIssuer("two")), false);
  assert.deepEqual(verifyPeerSvid(svid.der, "example.org", ofIssuer("one")), {
    ok: false,
    reason: "it is revoked",
  });
  assert.equal(verifyPeerSvid(svid.der, "example.org", ofIssuer("two")).ok, true);
});

test("what is no list is refused, cut off at any byte", () => {
  const [list = ""] = revocationLists([issuer], denied, 7, Date.now());
  const der = pemToDer(list, "X509 CRL");
  for (let length = 0; length < der.length; length++) {
    assert.throws(() => readRevokedCertificates(der.subarray(0, length), MOST), { code: "identity.invalid" });
  }
  assert.throws(() => readRevokedCertificates(der, 100), {
    code: "identity.invalid",
    message: /more than 100/,
  });
});
