import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { BAD_CERTIFICATES, BAD_URIS, GOOD_ID as id } from "../../test/harness/svid-vectors.ts";
import {
  type MintOptions,
  mint,
  mintRoot,
  mintSvid,
  type TestCertificate,
  uriSan,
} from "../../test/harness/test-certificates.ts";
import { SAN_DNS, SAN_IP } from "./certificate-facts.ts";
import { verifyPeerSvid } from "./verify-peer-svid.ts";

const root = mintRoot();
const svid = (options: MintOptions = {}): TestCertificate => mintSvid(root, id, options);
const verdict = (certificate: TestCertificate): ReturnType<typeof verifyPeerSvid> =>
  verifyPeerSvid(certificate.der, "example.org");

test("a good SVID gives its SPIFFE ID", () => {
  assert.deepEqual(verdict(svid()), { ok: true, spiffeId: id });
});

test("names of other kinds beside the one URI are no matter", () => {
  const sans = [{ tag: SAN_DNS, value: "server" }, uriSan(id), { tag: SAN_IP, value: "\x7f\0\0\x01" }];
  assert.deepEqual(verdict(svid({ sans })), { ok: true, spiffeId: id });
});

test("an SVID without extended key usage is accepted", () => {
  assert.deepEqual(verdict(svid({ extendedKeyUsage: undefined })), { ok: true, spiffeId: id });
});

for (const { name, options, reason } of BAD_CERTIFICATES) {
  test(`a certificate with ${name} is no SVID`, () => {
    const answer = verdict(svid(options));
    assert.equal(answer.ok, false);
    assert.match(answer.ok ? "" : answer.reason, reason);
  });
}

for (const uri of BAD_URIS) {
  test(`the URI SAN ${JSON.stringify(uri.slice(0, 60))} is refused`, () => {
    const answer = verdict(svid({ sans: [uriSan(uri)] }));
    assert.match(answer.ok ? "" : answer.reason, /no SPIFFE ID/);
  });
}

for (const trustDomain of ["other.org", "example.or", "example.org.evil", "xample.org"]) {
  test(`an SVID of example.org is refused in ${trustDomain}`, () => {
    const answer = verifyPeerSvid(svid().der, trustDomain);
    assert.match(answer.ok ? "" : answer.reason, /another trust domain/);
  });
}

test("a root is no SVID, and neither is a self-signed leaf of version 1", () => {
  assert.equal(verdict(root).ok, false);
  assert.equal(verdict(mint({ version: 1, commonName: id })).ok, false);
});

test("cut off, extended and random bytes are refused and never thrown at the caller", () => {
  const { der } = svid();
  for (let length = 0; length < der.length; length++) {
    assert.equal(verifyPeerSvid(der.subarray(0, length), "example.org").ok, false);
  }
  assert.equal(verifyPeerSvid(Buffer.concat([der, Buffer.from([0])]), "example.org").ok, false);
  for (let round = 0; round < 200; round++)
    assert.equal(verifyPeerSvid(randomBytes(200), "example.org").ok, false);
});

test("bytes that are too many or nested too deep are refused", () => {
  let nested = Buffer.from([0x05, 0x00]);
  for (let depth = 0; depth < 40; depth++)
    nested = Buffer.concat([Buffer.from([0x30, nested.length]), nested]);
  assert.equal(verifyPeerSvid(nested, "example.org").ok, false);
  assert.match(reasonOf(verifyPeerSvid(Buffer.alloc(20_000, 0x30), "example.org")), /more than 16384 bytes/);
});

test("a flipped bit never turns one SPIFFE ID into another that passes unnoticed by its text", () => {
  const { der } = svid();
  for (let bit = 0; bit < der.length * 8; bit++) {
    const changed = Buffer.from(der);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const answer = verifyPeerSvid(changed, "example.org");
    if (answer.ok) assert.ok(changed.includes(answer.spiffeId), "the ID is read from where it stands");
  }
});

function reasonOf(answer: ReturnType<typeof verifyPeerSvid>): string {
  return answer.ok ? "" : answer.reason;
}
