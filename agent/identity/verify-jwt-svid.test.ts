import assert from "node:assert/strict";
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import { testJwtKey, testKeySet } from "../../test/harness/test-jwt-keys.ts";
import { verifyJwtSvid } from "./verify-jwt-svid.ts";

const NOW = 1_800_000_000;
const WEB = "spiffe://cluster.local/ns/a/sa/web" as SpiffeId;
const { key, jwt } = testJwtKey();
const { key: other, jwt: otherJwt } = testJwtKey();
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const keys = [jwt, otherJwt];
const [KID = "", OTHER_KID = ""] = keys.map(({ publicJwk }) => String(publicJwk["kid"]));
const bundle = { trustDomain: "cluster.local" as TrustDomain, jwtKeys: testKeySet(...keys) };
const publicJwk = keys[0]?.publicJwk;

const good = { sub: WEB, aud: ["bank"], iat: NOW, exp: NOW + 300 };
const encode = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

interface Made {
  readonly header?: object;
  readonly claims?: unknown;
  readonly by?: KeyObject;
  readonly dsaEncoding?: "ieee-p1363" | "der";
}

/** A token as our authority would sign it, but for what is said. */
function made({ header = {}, claims = {}, by = key, dsaEncoding = "ieee-p1363" }: Made = {}): string {
  const head = encode({ alg: "ES256", kid: KID, typ: "JWT", ...header });
  const body = encode(typeof claims === "string" ? claims : { ...good, ...(claims as object) });
  const signature = sign("sha256", Buffer.from(`${head}.${body}`), { key: by, dsaEncoding });
  return `${head}.${body}.${signature.toString("base64url")}`;
}

function unsigned(header: object, tail = ""): string {
  return `${encode({ kid: KID, ...header })}.${encode(good)}.${tail}`;
}

/** A public key taken for a shared secret (RFC 8725 §2.1). */
function confused(secret: string | Buffer, header: object = {}): string {
  const text = `${encode({ alg: "HS256", kid: KID, ...header })}.${encode(good)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

const TAIL = made().split(".")[2] ?? "";
const PEM = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
const DER = createPublicKey(key).export({ type: "spki", format: "der" });

const ATTACKS: readonly (readonly [string, string])[] = [
  ...["none", "None", "NONE", "nOnE", ""].flatMap((alg) => [
    [`alg ${alg || "(empty)"} without a signature`, unsigned({ alg })] as const,
    [`alg ${alg || "(empty)"} with a good token's signature`, unsigned({ alg }, TAIL)] as const,
  ]),
  ["no alg", unsigned({}, TAIL)],
  ["HS256 with the public JWK as the secret", confused(JSON.stringify(publicJwk))],
  ["HS256 with the key set as the secret", confused(bundle.jwtKeys)],
  ["HS256 with the PEM as the secret", confused(PEM)],
  ["HS256 with the PEM as the secret and without a kid", confused(PEM, { kid: undefined })],
  ["HS256 with the DER as the secret", confused(DER)],
  ["HS256 with an empty secret", confused("")],
  ["EdDSA", made({ header: { alg: "EdDSA" } })],
  ["RS256 over an EC key", made({ header: { alg: "RS256" } })],
  ["ES384 over a P-256 key", made({ header: { alg: "ES384" } })],
  ["a signature in DER", made({ dsaEncoding: "der" })],
  ["a stranger's signature under our kid", made({ by: stranger })],
  ["a stranger's signature without a kid", made({ by: stranger, header: { kid: undefined } })],
  ["the kid of our other key", made({ header: { kid: OTHER_KID } })],
  ["our other key under this kid", made({ by: other })],
  ["a kid that nobody has", made({ header: { kid: "../../etc/passwd" } })],
  ["a kid that is no text", made({ header: { kid: [KID] } })],
  ["a kid of a megabyte", made({ header: { kid: "k".repeat(1 << 20) } })],
  ["a key that it brings", made({ by: stranger, header: { jwk: stranger.export({ format: "jwk" }) } })],
  [
    "a place where its key is",
    made({ by: stranger, header: { jku: "https://evil.example/keys", kid: "x" } }),
  ],
  ["something that must be understood", made({ header: { crit: ["exp"] } })],
  ["another type", made({ header: { typ: "at+jwt" } })],
  ["no expiration", made({ claims: { exp: undefined } })],
  ["an expiration as text", made({ claims: { exp: String(NOW + 300) } })],
  ["an expiration that is no whole number", made({ claims: { exp: NOW + 0.5 } })],
  ["an end that is over", made({ claims: { exp: NOW - 31 } })],
  ["a time that has not begun", made({ claims: { nbf: NOW + 3_600 } })],
  ["another audience", made({ claims: { aud: ["shop"] } })],
  ["an audience that ours begins with", made({ claims: { aud: ["ban"] } })],
  ["an audience that begins with ours", made({ claims: { aud: ["bank.example"] } })],
  ["ours as a URL", made({ claims: { aud: ["https://bank/"] } })],
  ["ours in capitals", made({ claims: { aud: ["BANK"] } })],
  ["no audience", made({ claims: { aud: undefined } })],
  ["an empty list of audiences", made({ claims: { aud: [] } })],
  ["an audience that is an object", made({ claims: { aud: { bank: true } } })],
  ["another trust domain", made({ claims: { sub: "spiffe://other.example/ns/a/sa/web" } })],
  [
    "a trust domain that begins with ours",
    made({ claims: { sub: "spiffe://cluster.local.evil/ns/a/sa/web" } }),
  ],
  ["our trust domain in its path", made({ claims: { sub: "spiffe://evil/cluster.local/sa/web" } })],
  ["a subject that is no SPIFFE ID", made({ claims: { sub: "web" } })],
  ["a subject in capitals", made({ claims: { sub: "SPIFFE://cluster.local/ns/a/sa/web" } })],
  ["a subject with dots", made({ claims: { sub: "spiffe://cluster.local/ns/a/../b" } })],
  ["no subject", made({ claims: { sub: undefined } })],
  ["a subject twice", made({ claims: JSON.stringify(good).replace("{", `{"sub":"${WEB}2",`) })],
  ["claims that are no object", made({ claims: '"web"' })],
  ["no signature", made().split(".").slice(0, 2).join(".")],
  ["four parts", `${made()}.x`],
  ["a changed payload", made().replace(encode(good), encode({ ...good, sub: `${WEB}2` }))],
  ["padding", `${made()}=`],
  ["nothing", ""],
  ["200 kilobytes", made({ claims: { more: "x".repeat(200_000) } })],
];
for (const [name, token] of ATTACKS) {
  test(`a JWT-SVID with ${name} is refused`, () => {
    const verdict = verifyJwtSvid(token, "bank", bundle, NOW * 1000);
    assert.equal(verdict.ok, false);
  });
}

const GOOD: readonly (readonly [string, string])[] = [
  ["one audience", made()],
  ["one as a text", made({ claims: { aud: "bank" } })],
  ["several", made({ claims: { aud: ["shop", "bank"] } })],
  ["no kid", made({ header: { kid: undefined } })],
  ["no type", made({ header: { typ: undefined } })],
  ["the type JOSE", made({ header: { typ: "JOSE" } })],
  ["our other key", made({ by: other, header: { kid: OTHER_KID } })],
  ["an end that is over by less than clocks drift", made({ claims: { exp: NOW - 20 } })],
];
for (const [name, token] of GOOD) {
  test(`a JWT-SVID with ${name} is taken`, () => {
    const verdict = verifyJwtSvid(token, "bank", bundle, NOW * 1000);
    assert.deepEqual(verdict.ok ? verdict.spiffeId : verdict.reason, WEB);
  });
}

test("what the authority signs is taken, for each of its audiences and until its end", () => {
  const token = keys[0]?.issue({ spiffeId: WEB, audiences: ["bank", "shop"] }, { from: NOW, to: NOW + 300 });
  for (const audience of ["bank", "shop"])
    assert.equal(verifyJwtSvid(token ?? "", audience, bundle, NOW * 1000).ok, true);
  assert.equal(verifyJwtSvid(token ?? "", "mint", bundle, NOW * 1000).ok, false);
  assert.equal(verifyJwtSvid(token ?? "", "bank", bundle, (NOW + 331) * 1000).ok, false);
});

test("without keys nothing is taken", () => {
  for (const jwtKeys of ['{"keys":[]}', "", "{}"])
    assert.equal(verifyJwtSvid(made(), "bank", { ...bundle, jwtKeys }, NOW * 1000).ok, false);
});
