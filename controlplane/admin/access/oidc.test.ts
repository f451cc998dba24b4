import assert from "node:assert/strict";
import { createHmac, KeyObject, sign, type webcrypto } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { MeshError } from "../../../mesh/errors.ts";
import { isSafe, type OidcOptions, OidcVerifier } from "./oidc.ts";

const keys = await generateKeyPair("RS256", { extractable: true });
const stranger = await generateKeyPair("RS256");
const elliptic = await generateKeyPair("ES256", { extractable: true });

/** An OpenID provider on loopback; what it answers can be spoilt. */
let provider: Server;
let issuer = "";
let asked: string[] = [];
let spoilt: ((url: string) => { status: number; body: string } | undefined) | undefined;

before(async () => {
  const jwks = JSON.stringify({
    keys: [
      { ...(await exportJWK(keys.publicKey)), kid: "rsa", alg: "RS256", use: "sig" },
      { ...(await exportJWK(elliptic.publicKey)), kid: "ec", use: "sig" },
    ],
  });
  provider = createServer((request, response) => {
    const url = request.url ?? "";
    asked.push(url);
    const answer = spoilt?.(url) ?? {
      status: 200,
      body: url.startsWith("/keys") ? jwks : JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }),
    };
    response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
});

after(() => provider.close());

const ANY: Omit<OidcOptions, "issuer"> = {
  audience: "lateen",
  algorithms: ["RS256", "ES256"],
  roles: [
    { claim: "groups", value: "admins", role: "admin" },
    { claim: "groups", value: "shop", role: "editor", namespaces: ["shop"] },
    { claim: "team", value: "everybody", role: "viewer" },
  ],
};

function verifier(options: Partial<OidcOptions> = {}): OidcVerifier {
  asked = [];
  spoilt = undefined;
  return new OidcVerifier({ issuer, ...ANY, ...options });
}

interface TokenParts {
  /** Undefined: left out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: webcrypto.CryptoKey;
}

async function token({ claims = {}, header = {}, key = keys.privateKey }: TokenParts = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: issuer,
    aud: "lateen",
    sub: "ada",
    exp: now + 300,
    groups: ["x", "admins"],
    ...claims,
  };
  return await new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: "rsa", ...header }).sign(key);
}

test("a provider's token is worth what the first rule that fits says", async () => {
  const oidc = verifier();
  assert.deepEqual(await oidc.verify(await token()), {
    credential: "oidc",
    name: `${issuer}#ada`,
    grant: { role: "admin", namespaces: undefined },
  });
  const shop = await oidc.verify(await token({ claims: { groups: "shop", team: "everybody" } }));
  assert.deepEqual(shop?.grant, { role: "editor", namespaces: ["shop"] });
  assert.equal(await oidc.verify(await token({ claims: { groups: ["administrators"] } })), undefined);
  assert.equal(await oidc.verify(await token({ claims: { groups: { admins: true } } })), undefined);
  const elliptical = await token({ header: { alg: "ES256", kid: "ec" }, key: elliptic.privateKey });
  assert.equal((await oidc.verify(elliptical))?.grant.role, "admin");
  assert.deepEqual(asked, ["/.well-known/openid-configuration", "/keys"]);
});

const now = (): number => Math.floor(Date.now() / 1000);

const refused: readonly { readonly name: string; readonly token: () => Promise<string> }[] = [
  { name: "signed by somebody else", token: () => token({ key: stranger.privateKey }) },
  { name: "of another issuer", token: () => token({ claims: { iss: `${issuer}/` } }) },
  { name: "for another audience", token: () => token({ claims: { aud: "kiali" } }) },
  { name: "expired", token: () => token({ claims: { exp: now() - 60 } }) },
  { name: "without an end", token: () => token({ claims: { exp: undefined } }) },
  { name: "without a subject", token: () => token({ claims: { sub: undefined } }) },
  { name: "not yet good", token: () => token({ claims: { nbf: now() + 120 } }) },
  { name: "with a key id that nobody has", token: () => token({ header: { kid: "none" } }) },
  {
    name: "with a critical header that is not understood",
    token: async () => {
      const head = base64url.encode('{"alg":"RS256","kid":"rsa","crit":["x"],"x":1}');
      const input = `${head}.${(await token()).split(".")[1]}`;
      return `${input}.${sign("sha256", Buffer.from(input), KeyObject.from(keys.privateKey)).toString("base64url")}`;
    },
  },
  {
    name: "unsigned",
    token: async () => `${base64url.encode('{"alg":"none"}')}.${(await token()).split(".")[1]}.`,
  },
  {
    name: "signed with the public key as a shared secret",
    token: async () => {
      const input = `${base64url.encode('{"alg":"HS256","kid":"rsa"}')}.${(await token()).split(".")[1]}`;
      const mac = createHmac("sha256", await exportSPKI(keys.publicKey))
        .update(input)
        .digest("base64url");
      return `${input}.${mac}`;
    },
  },
  {
    name: "with a claim changed",
    token: async () => {
      const [head, , signature] = (await token({ claims: { groups: ["x"] } })).split(".");
      const claims = { iss: issuer, aud: "lateen", sub: "ada", exp: now() + 300, groups: ["admins"] };
      return `${head}.${base64url.encode(JSON.stringify(claims))}.${signature}`;
    },
  },
  { name: "of nonsense", token: async () => "eyJ.eyJ.x" },
  { name: "too large", token: async () => `${"x".repeat(20_000)}.y.z` },
];

for (const { name, token } of refused) {
  test(`a token ${name} opens nothing`, async () => {
    assert.equal(await verifier().verify(await token()), undefined);
  });
}

const outages: readonly { readonly name: string; readonly answer: { status: number; body: string } }[] = [
  { name: "an error", answer: { status: 500, body: "" } },
  { name: "no JSON", answer: { status: 200, body: "<html>" } },
  { name: "keys that are none", answer: { status: 200, body: '{"keys":1}' } },
  {
    name: "a document of another issuer",
    answer: { status: 200, body: '{"issuer":"https://evil.example"}' },
  },
];

for (const { name, answer } of outages) {
  test(`a provider that answers with ${name} leaves it undecided, and is asked again`, async () => {
    const oidc = verifier();
    const good = await token();
    spoilt = () => answer;
    await assert.rejects(
      oidc.verify(good),
      (error) => error instanceof MeshError && error.code === "admin.unavailable",
    );
    spoilt = undefined;
    assert.equal((await oidc.verify(good))?.grant.role, "admin");
  });
}

const MINUTE_MS = 60_000;
const gone = (): { status: number; body: string } => ({ status: 503, body: "" });
const isAway = (error: unknown): boolean => error instanceof MeshError && error.code === "admin.unavailable";

test("while the provider is away its keys are good for ten minutes, and then nobody is let in until it is back", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const oidc = verifier();
  assert.equal((await oidc.verify(await token()))?.grant.role, "admin");
  spoilt = gone;
  t.mock.timers.tick(9 * MINUTE_MS);
  assert.equal((await oidc.verify(await token()))?.grant.role, "admin");
  const unknown = { header: { kid: "none" } };
  await assert.rejects(oidc.verify(await token(unknown)), isAway);
  assert.equal((await oidc.verify(await token()))?.grant.role, "admin", "an unknown key costs no known one");
  t.mock.timers.tick(2 * MINUTE_MS);
  await assert.rejects(oidc.verify(await token()), isAway);
  await assert.rejects(new OidcVerifier({ ...ANY, issuer }).verify(await token()), isAway, "after a restart");
  spoilt = undefined;
  t.mock.timers.tick(MINUTE_MS);
  assert.equal((await oidc.verify(await token()))?.grant.role, "admin");
});

test("a key that the provider takes back is good for no more than ten minutes, a new one at once", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const oidc = verifier();
  assert.equal((await oidc.verify(await token()))?.grant.role, "admin");
  const next = await generateKeyPair("RS256");
  const jwks = JSON.stringify({
    keys: [{ ...(await exportJWK(next.publicKey)), kid: "next", alg: "RS256" }],
  });
  spoilt = (url) => (url === "/keys" ? { status: 200, body: jwks } : undefined);
  t.mock.timers.tick(MINUTE_MS);
  const renewed = { header: { kid: "next" }, key: next.privateKey };
  assert.equal((await oidc.verify(await token(renewed)))?.grant.role, "admin");
  assert.equal(await oidc.verify(await token()), undefined);
});

test("keys that the provider has moved are found at their new place, and looked for twice a minute at most", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const oidc = verifier();
  assert.equal((await oidc.verify(await token()))?.grant.role, "admin");
  const there = (keys: string) => (url: string) =>
    url === keys ? undefined : url === "/keys" ? gone() : { status: 200, body: discovery(keys) };
  const discovery = (keys: string): string => JSON.stringify({ issuer, jwks_uri: `${issuer}${keys}` });
  t.mock.timers.tick(11 * MINUTE_MS);
  spoilt = gone;
  for (let i = 0; i < 10; i++) await assert.rejects(oidc.verify(await token()), isAway);
  const looked = asked.filter((url) => url.includes("openid-configuration")).length;
  assert.equal(looked, 2, "once for the keys, and once more");
  t.mock.timers.tick(MINUTE_MS);
  spoilt = there("/keys?v=2");
  assert.equal((await oidc.verify(await token()))?.grant.role, "admin");
});

test("keys are fetched over https, or from this host", () => {
  for (const safe of ["https://login.example/keys", "http://127.0.0.1:1/keys", "http://localhost/"])
    assert.equal(isSafe(safe), true, safe);
  for (const unsafe of [
    "http://login.example/keys",
    "file:///etc/passwd",
    "http://127.0.0.1.evil.example",
    "x",
  ])
    assert.equal(isSafe(unsafe), false, unsafe);
});
