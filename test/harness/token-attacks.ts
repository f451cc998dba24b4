import { createHmac, createPublicKey } from "node:crypto";
import {
  claims,
  derSigned,
  encode,
  ISSUER,
  LATER,
  publicJwk,
  publicPem,
  STRANGER,
  signedText,
  token,
} from "./test-tokens.ts";

/** A token that nobody may take, by what is wrong with it. */
export type Attack = readonly [name: string, token: string];

const GOOD = token();
const [HEAD = "", BODY = "", TAIL = ""] = GOOD.split(".");
const RS256 = JSON.stringify({ alg: "RS256", kid: "rsa" });
const PAYLOAD = JSON.stringify(claims());
const STRANGER_JWK = createPublicKey(STRANGER.rsa).export({ format: "jwk" });

const unsigned = (header: object, tail = ""): string => `${encode(JSON.stringify(header))}.${BODY}.${tail}`;
const stolen = (header: Readonly<Record<string, unknown>>): string =>
  token(claims(), { key: STRANGER.rsa, header });

/** A public key taken for a shared secret (RFC 8725 §2.1), in each form that it may have been stored in. */
function confused(alg: string, secret: string | Buffer, kid: string | undefined): string {
  const text = `${encode(JSON.stringify({ alg, typ: "JWT", kid }))}.${BODY}`;
  return `${text}.${encode(
    createHmac(`sha${alg.slice(2)}`, secret)
      .update(text)
      .digest(),
  )}`;
}

/** No signature, or one that proves nothing. */
const SIGNATURE_ATTACKS: readonly Attack[] = [
  ...["none", "None", "nOnE", "NONE", "none ", ""].flatMap((alg): Attack[] => [
    [`alg ${JSON.stringify(alg)} without a signature`, unsigned({ alg, kid: "rsa" })],
    [`alg ${JSON.stringify(alg)} with the signature of a good token`, unsigned({ alg, kid: "rsa" }, TAIL)],
    [`alg ${JSON.stringify(alg)} with some signature`, unsigned({ alg, kid: "rsa" }, "AAAA")],
  ]),
  ["no alg", unsigned({ kid: "rsa" }, TAIL)],
  ["alg that is no text", unsigned({ alg: ["RS256"], kid: "rsa" }, TAIL)],
  ["alg null", unsigned({ alg: null, kid: "rsa" }, TAIL)],
  ...["rs256", "RS256 ", "Rs256", "RS1", "ES256K", "HS256K", "A128KW", "dir"].map(
    (alg): Attack => [`alg ${JSON.stringify(alg)}`, unsigned({ alg, kid: "rsa" }, TAIL)],
  ),
  ...["HS256", "HS384", "HS512"].flatMap((alg): Attack[] =>
    ["rsa", undefined].flatMap((kid): Attack[] => [
      [`${alg} with the public key (PEM) as the secret, kid ${kid}`, confused(alg, publicPem("rsa"), kid)],
      [
        `${alg} with the PEM without its last line end, kid ${kid}`,
        confused(alg, publicPem("rsa").trim(), kid),
      ],
      [
        `${alg} with the modulus, kid ${kid}`,
        confused(alg, Buffer.from(publicJwk("rsa").n ?? "", "base64url"), kid),
      ],
      [`${alg} with the JWK, kid ${kid}`, confused(alg, JSON.stringify(publicJwk("rsa")), kid)],
      [`${alg} with nothing, kid ${kid}`, confused(alg, "", kid)],
    ]),
  ),
  ["the signature taken off", `${HEAD}.${BODY}.`],
  ["two parts", `${HEAD}.${BODY}`],
  ["a changed payload", `${HEAD}.${encode(JSON.stringify(claims({ sub: "root" })))}.${TAIL}`],
  ["a changed header", `${encode(JSON.stringify({ alg: "RS384", kid: "rsa" }))}.${BODY}.${TAIL}`],
  ["the signature of another token", `${HEAD}.${BODY}.${token(claims({ sub: "bob" })).split(".")[2]}`],
  ["a signature that is longer", `${GOOD}AAAA`],
  ["a signature that is shorter", GOOD.slice(0, -4)],
  ["an RSA signature of zeros", `${HEAD}.${BODY}.${encode(Buffer.alloc(256))}`],
  ["an RSA signature of one", `${HEAD}.${BODY}.${encode(Buffer.from([1]))}`],
  ["RSA of a stranger", token(claims(), { key: STRANGER.rsa })],
  ["RSA of a stranger, no kid", token(claims(), { key: STRANGER.rsa, header: { kid: undefined } })],
  ["PSS of a stranger", token(claims(), { alg: "PS256", key: STRANGER.rsa })],
  ["ECDSA of a stranger", token(claims(), { alg: "ES256", key: STRANGER.ec })],
  ["PSS that is called PKCS#1", rename(token(claims(), { alg: "PS256" }), "RS256", "rsa")],
  ["PKCS#1 that is called PSS", rename(GOOD, "PS256", "rsa")],
  ["RSA that is called ECDSA", rename(GOOD, "ES256", "ec")],
  ["ECDSA that is called RSA", rename(token(claims(), { alg: "ES256" }), "RS256", "rsa")],
  ["ECDSA in ASN.1", derSigned(claims())],
  // CVE-2022-21449: r and s of nothing.
  ...[64, 96, 132].map(
    (length): Attack => [
      `ECDSA of ${length} zeros`,
      `${encode(JSON.stringify({ alg: "ES256", kid: "ec" }))}.${BODY}.${encode(Buffer.alloc(length))}`,
    ],
  ),
  [
    "Ed25519 of zeros",
    `${encode(JSON.stringify({ alg: "EdDSA", kid: "ed" }))}.${BODY}.${encode(Buffer.alloc(64))}`,
  ],
  ["the wrong key of the right set", token(claims(), { header: { kid: "ec" } })],
  ["an unknown kid", token(claims(), { header: { kid: "gone" } })],
  ...["../../../../dev/null", "rsa' OR '1'='1", "rsa\u0000", "RSA", "x".repeat(8_000)].map(
    (kid): Attack => [`kid ${kid.slice(0, 24)}`, token(claims(), { header: { kid } })],
  ),
  ["kid that is no text", token(claims(), { header: { kid: ["rsa"] } })],
  ["a stranger's key in the header (jwk)", stolen({ kid: undefined, jwk: STRANGER_JWK })],
  ["a stranger's key in the header (jwk), known kid", stolen({ jwk: { ...STRANGER_JWK, kid: "rsa" } })],
  ["a stranger's keys by URL (jku)", stolen({ jku: "http://127.0.0.1:1/keys" })],
  ["a stranger's certificate by URL (x5u)", stolen({ x5u: "http://127.0.0.1:1/cert" })],
  ["a stranger's certificate (x5c)", stolen({ x5c: ["AAAA"] })],
];

/** The same token under another algorithm's name: its signature is what it was. */
function rename(text: string, alg: string, kid: string): string {
  const [, body, tail] = text.split(".");
  return `${encode(JSON.stringify({ alg, typ: "JWT", kid }))}.${body}.${tail}`;
}

/** Spellings that two parsers could read in two ways, and what is no compact JWS. */
const FORM_ATTACKS: readonly Attack[] = [
  ["one part", HEAD],
  ["four parts", `${GOOD}.AAAA`],
  ["five parts, as an encrypted token has", `${HEAD}.AAAA.AAAA.AAAA.AAAA`],
  ["a detached payload", `${HEAD}..${TAIL}`],
  ["an empty header", `.${BODY}.${TAIL}`],
  ["a header that is no JSON", signedText("x", PAYLOAD)],
  ["a header that is a list", signedText("[]", PAYLOAD)],
  ["a payload that is no JSON", signedText(RS256, "x")],
  ["a payload that is a list", signedText(RS256, `[${PAYLOAD}]`)],
  ["a payload that is a text", signedText(RS256, JSON.stringify(PAYLOAD))],
  ["crit", token(claims(), { header: { crit: ["x"], x: 1 } })],
  ["crit that names nothing", token(claims(), { header: { crit: [] } })],
  ["b64 false", token(claims(), { header: { b64: false, crit: ["b64"] } })],
  ["a claim twice", signedText(RS256, `{"sub":"root",${PAYLOAD.slice(1)}`)],
  ["alg twice", signedText(`{"alg":"none",${RS256.slice(1)}`, PAYLOAD)],
  ["a name twice, once escaped", signedText(RS256, `{"s\\u0075b":"root",${PAYLOAD.slice(1)}`)],
  ["no claims at all", signedText(RS256, "{}")],
  [
    "a payload that is no UTF-8",
    signedText(
      RS256,
      Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xc3, 0x28]), Buffer.from(`",${PAYLOAD.slice(1)}`)]),
    ),
  ],
  ["a token inside a token", signedText(JSON.stringify({ alg: "RS256", kid: "rsa", cty: "JWT" }), GOOD)],
  ["a token of 200 KB", token(claims({ padding: "x".repeat(150_000) }))],
];

/** Claims that are wrong, of a token that is signed as it should be. */
const CLAIM_ATTACKS: readonly Attack[] = [
  ...[
    { exp: undefined },
    { exp: String(LATER) },
    { exp: -1 },
    { exp: [LATER] },
    { exp: { at: LATER } },
    { exp: true },
    { exp: 0 },
    { exp: 1_000_000_000 },
    { nbf: LATER },
    { nbf: String(1_000_000_000) },
    { nbf: -1 },
    { iat: "now" },
    { aud: undefined },
    { aud: "other" },
    { aud: ["other", "else"] },
    { aud: [] },
    { aud: { shop: true } },
    { aud: 1 },
    { aud: "shop,other" },
    { aud: [["shop"]] },
    { iss: undefined },
    { iss: "" },
    { iss: [ISSUER] },
    { iss: 1 },
    { iss: `${ISSUER}/` },
    { iss: ISSUER.toUpperCase() },
    { iss: `${ISSUER}\u0000` },
    { iss: "https://issuer.example.com.evil.example" },
    { sub: undefined },
    { sub: "" },
    { sub: ["alice"] },
    { sub: 7 },
  ].map(
    (over): Attack => [
      `claims ${JSON.stringify(over, (_, value: unknown) => value ?? null)}`,
      token(claims(over)),
    ],
  ),
  ["exp null", signedText(RS256, PAYLOAD.replace(String(LATER), "null"))],
  ["exp beyond every clock", signedText(RS256, PAYLOAD.replace(String(LATER), "1e300"))],
  ["exp beyond 64 bits", signedText(RS256, PAYLOAD.replace(String(LATER), "99999999999999999999999"))],
];

/** None of them may pass, anywhere. */
export const ATTACKS: readonly Attack[] = [...SIGNATURE_ATTACKS, ...FORM_ATTACKS, ...CLAIM_ATTACKS];

/**
 * RFC 7519 §2 lets a date have a fraction. We take whole seconds only; Envoy takes it (docs/differences-from-envoy.md).
 */
export const FRACTION: string = token(claims({ exp: LATER + 0.5 }));
