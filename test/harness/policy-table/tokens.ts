import { claims, ISSUER, jwks, token } from "../test-tokens.ts";
import type { Ask, PolicyCase } from "./case.ts";

const KEYS = JSON.stringify(jwks());
const OTHER_ISSUER = "https://other.example.com";

function rule(fields = "", issuer = ISSUER): string {
  return `{ issuer: "${issuer}", jwks: ${KEYS}${fields === "" ? "" : `, ${fields}`} }`;
}

const ONE = `jwtRules: [${rule()}]`;
const NEEDED = 'action: ALLOW, rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }]';

function when(key: string, values: string, action = "ALLOW"): string {
  return `action: ${action}, rules: [{ when: [{ key: "${key}", values: [${values}] }] }]`;
}

const bearer = (over: Readonly<Record<string, unknown>> = {}): Ask => ({ token: token(claims(over)) });
const OTHERS = token(claims({ iss: OTHER_ISSUER }));
const twice = (...tokens: readonly string[]): Ask => ({
  headers: tokens.map((one) => ["authorization", `Bearer ${one}`] as const),
});
const BROKEN = `${token().slice(0, -8)}AAAAAAAA`;

/** RequestAuthentication, and AuthorizationPolicies that ask what a token says. */
export const TOKEN_CASES: readonly PolicyCase[] = [
  {
    name: "a token is taken, none is let through, a bad one is not",
    authentication: [ONE],
    authorization: [],
    rows: [
      [{}, 200],
      [bearer(), 200],
      [{ token: BROKEN }, 401],
      [{ token: "x" }, 401],
      [{ token: "a.b.c" }, 401],
      [{ headers: [["authorization", "Basic YTpi"]] }, 200],
      [{ headers: [["authorization", token()]] }, 200],
      [{ path: `/?access_token=${token()}` }, 200],
      [{ path: `/?x=1&access_token=${BROKEN}` }, 401],
      [{ path: `/?access_token=${BROKEN}`, token: token() }, 401],
      [bearer({ iss: OTHER_ISSUER }), 401],
      [bearer({ iss: undefined }), 401],
      [{ token: token(), path: `/?r=1&access_token=${OTHERS}` }, 401],
      [{ token: OTHERS, path: `/?r=2&access_token=${token()}` }, 401],
      [twice(token(), BROKEN), 401],
      [twice(BROKEN, token()), 401],
      [twice(token(), token()), 401],
      [twice(token(), OTHERS), 401],
      [{ token: token(), path: `/?access_token=${token()}` }, 200],
      [{ token: token(), path: "/?r=3", headers: [["connection", "authorization"]] }, 200],
      // Envoy takes out what a caller says is for this connection only; nobody behind it sees the token either.
      [{ token: BROKEN, headers: [["connection", "authorization"]] }, 401, { Envoy: 200 }],
      [{ token: BROKEN, headers: [["connection", "close, Authorization"]] }, 401, { Envoy: 200 }],
    ],
  },
  {
    name: "a token is asked for",
    authentication: [ONE],
    authorization: [NEEDED],
    rows: [
      [{}, 403],
      [bearer(), 200],
      [{ token: BROKEN }, 401],
      [{ path: `/?access_token=${token()}` }, 200],
      [bearer({ sub: undefined }), 403],
      [{ headers: [["authorization", `bearer ${token()}`]] }, 403],
      [{ headers: [["authorization", `Bearer  ${token()}`]] }, 200],
      [{ token: token(), headers: [["connection", "x-something"]] }, 200],
      [{ headers: [["x-jwt-payload", "e30"]] }, 403],
    ],
  },
  {
    name: "a preflight carries no token",
    authentication: [ONE],
    authorization: [],
    rows: [
      [
        {
          method: "OPTIONS",
          token: BROKEN,
          headers: [
            ["origin", "https://a"],
            ["access-control-request-method", "GET"],
          ],
        },
        200,
      ],
      [{ method: "OPTIONS", token: BROKEN }, 401],
      [{ method: "OPTIONS", token: BROKEN, headers: [["origin", "https://a"]] }, 401],
    ],
  },
  {
    name: "without a token a policy may deny",
    authentication: [ONE],
    authorization: [
      'action: DENY, rules: [{ from: [{ source: { notRequestPrincipals: ["*"] } }], to: [{ operation: { paths: [/a] } }] }]',
    ],
    rows: [
      [{ path: "/a" }, 403],
      [{ path: "/b" }, 200],
      [{ path: "/a", token: token() }, 200],
    ],
  },
  {
    name: "without a RequestAuthentication nobody has a principal",
    authorization: [NEEDED],
    rows: [
      [{}, 403],
      [bearer(), 403],
      [{ token: BROKEN }, 403],
    ],
  },
  ...[
    [`${ISSUER}/alice`, [bearer()], [bearer({ sub: "alice2" }), bearer({ sub: "bob" }), {}]],
    [`${ISSUER}/*`, [bearer(), bearer({ sub: "bob" })], [{}]],
    [`${ISSUER}/al*`, [bearer(), bearer({ sub: "al" })], [bearer({ sub: "bob" })]],
    ["*/alice", [bearer()], [bearer({ sub: "bob" }), bearer({ sub: "x-alice" })]],
    ["*lice", [bearer(), bearer({ sub: "malice" })], [bearer({ sub: "bob" })]],
    ["https://iss*", [bearer()], [{}]],
    [`${ISSUER}/a/b`, [bearer({ sub: "a/b" })], [bearer({ sub: "b" })]],
    ["*/a/b", [bearer({ sub: "a/b" })], [bearer({ sub: "b" })]],
  ].map(([value, yes, no]): PolicyCase => {
    const [passing, refused] = [yes as readonly Ask[], no as readonly Ask[]];
    return {
      name: `request principal ${value as string}`,
      authentication: [ONE],
      authorization: [when("request.auth.principal", `"${value as string}"`)],
      rows: [...passing.map((ask) => [ask, 200] as const), ...refused.map((ask) => [ask, 403] as const)],
    };
  }),
  {
    name: "audiences of the issuer",
    authentication: [`jwtRules: [${rule("audiences: [shop, desk]")}]`],
    authorization: [],
    rows: [
      [bearer(), 200],
      [bearer({ aud: ["other", "desk"] }), 200],
      [bearer({ aud: "https://shop/" }), 200],
      [bearer({ aud: "other" }), 403],
      [bearer({ aud: [] }), 403],
      [bearer({ aud: undefined }), 403],
      [bearer({ aud: ["x,shop"] }), 403],
    ],
  },
  {
    name: "request.auth.audiences",
    authentication: [ONE],
    authorization: [when("request.auth.audiences", "shop")],
    rows: [
      [bearer(), 200],
      [bearer({ aud: ["a", "shop"] }), 200],
      [bearer({ aud: ["a"] }), 403],
      [bearer({ aud: undefined }), 403],
    ],
  },
  {
    name: "request.auth.presenter",
    authentication: [ONE],
    authorization: [when("request.auth.presenter", "app")],
    rows: [
      [bearer({ azp: "app" }), 200],
      [bearer({ azp: "other" }), 403],
      [bearer(), 403],
    ],
  },
  {
    name: "a claim that is a text or a list",
    authentication: [ONE],
    authorization: [when("request.auth.claims[groups]", "admin")],
    rows: [
      [bearer({ groups: "admin" }), 200],
      [bearer({ groups: ["user", "admin"] }), 200],
      [bearer({ groups: "user,admin" }), 403],
      [bearer({ groups: "user admin" }), 403],
      [bearer({ groups: [["admin"]] }), 403],
      [bearer({ groups: { admin: true } }), 403],
      [bearer({ groups: 1 }), 403],
      [bearer(), 403],
      [{}, 403],
    ],
  },
  {
    name: "a claim inside claims",
    authentication: [ONE],
    authorization: [when("request.auth.claims[org][unit]", '"sales*"')],
    rows: [
      [bearer({ org: { unit: "sales-eu" } }), 200],
      [bearer({ org: { unit: ["x", "sales"] } }), 200],
      [bearer({ org: { unit: "it" } }), 403],
      [bearer({ org: "sales" }), 403],
      [bearer({ "org.unit": "sales" }), 403],
    ],
  },
  {
    name: "claims that are lists written with spaces",
    authentication: [`jwtRules: [${rule("spaceDelimitedClaims: [roles]")}]`],
    authorization: [
      'action: ALLOW, rules: [{ when: [{ key: "request.auth.claims[scope]", values: [write] }] }, { when: [{ key: "request.auth.claims[roles]", values: [admin] }] }]',
    ],
    rows: [
      [bearer({ scope: "read write" }), 200],
      [bearer({ scope: "read  write" }), 200],
      [bearer({ scope: "write" }), 200],
      [bearer({ scope: "rewrite" }), 403],
      [bearer({ roles: "user admin" }), 200],
      [bearer({ roles: ["user admin"] }), 403],
      [bearer({ other: "user admin" }), 403],
    ],
  },
  {
    name: "tokens in places of their own",
    authentication: [
      `jwtRules: [${rule('fromHeaders: [{ name: x-token, prefix: "T " }, { name: x-bare }], fromParams: [t], fromCookies: [session]')}]`,
    ],
    authorization: [NEEDED],
    rows: [
      [{ headers: [["x-token", `T ${token()}`]] }, 200],
      [{ headers: [["x-token", token()]] }, 403],
      [{ headers: [["x-bare", token()]] }, 200],
      [{ path: `/?t=${token()}` }, 200],
      [{ headers: [["cookie", `a=b; session=${token()}; c=d`]] }, 200],
      [{ headers: [["cookie", `xsession=${token()}`]] }, 403],
      [bearer(), 403],
      [{ path: `/?access_token=${token()}` }, 403],
      [{ headers: [["x-bare", BROKEN]] }, 401],
      [{ path: `/?t=${token()}`, headers: [["x-bare", BROKEN]] }, 401],
      [{ path: `/?t=${BROKEN}`, headers: [["x-bare", token()]] }, 401],
      [{ path: `/?t=${token()}&t=${BROKEN}` }, 200],
    ],
  },
  {
    name: "several issuers",
    authentication: [`jwtRules: [${rule()}]`, `jwtRules: [${rule("", OTHER_ISSUER)}]`],
    authorization: [when("request.auth.claims[iss]", OTHER_ISSUER, "DENY")],
    rows: [
      [{}, 200],
      [bearer(), 200],
      [bearer({ iss: OTHER_ISSUER }), 403],
      [bearer({ iss: "https://third.example.com" }), 401],
      [{ token: BROKEN }, 401],
      [{ token: token(), path: `/?access_token=${OTHERS}` }, 200],
      [{ token: OTHERS, path: `/?r=1&access_token=${token()}` }, 403],
      [{ token: token(claims({ iss: "https://third" })), path: `/?r=2&access_token=${token()}` }, 401],
      [{ token: token(), path: `/?r=3&access_token=${OTHERS.slice(0, -8)}AAAAAAAA` }, 401],
      [{ token: BROKEN, path: `/?r=4&access_token=${OTHERS}` }, 401],
    ],
  },
  {
    name: "several issuers, each with a place of its own",
    authentication: [
      `jwtRules: [${rule("fromHeaders: [{ name: x-a }]")}, ${rule("fromHeaders: [{ name: x-b }]", OTHER_ISSUER)}]`,
    ],
    authorization: [NEEDED],
    rows: [
      [{}, 403],
      [{ headers: [["x-a", token()]] }, 200],
      [{ headers: [["x-b", token(claims({ iss: OTHER_ISSUER }))]] }, 200],
      [{ headers: [["x-b", token()]] }, 401],
      [{ headers: [["x-a", BROKEN]] }, 401],
      [
        {
          headers: [
            ["x-a", token()],
            ["x-b", token(claims({ iss: OTHER_ISSUER }))],
          ],
        },
        200,
      ],
    ],
  },
  {
    name: "what a token says in headers, a caller cannot say",
    authentication: [
      `jwtRules: [${rule("outputPayloadToHeader: x-claims, outputClaimToHeaders: [{ header: x-sub, claim: sub }]")}]`,
    ],
    authorization: [
      'action: DENY, rules: [{ when: [{ key: "request.headers[x-sub]", values: [mallory] }] }, { when: [{ key: "request.headers[x-claims]", values: [e30] }] }]',
    ],
    rows: [
      [{ headers: [["x-sub", "mallory"]] }, 200],
      [{ headers: [["x-claims", "e30"]] }, 200],
      [{ token: token(), headers: [["x-sub", "mallory"]] }, 200],
      [bearer({ sub: "mallory" }), 403],
    ],
  },
  {
    name: "a token that is forwarded is still there for policies, another is not",
    authentication: [`jwtRules: [${rule("forwardOriginalToken: true")}]`],
    authorization: [
      'action: DENY, rules: [{ when: [{ key: "request.headers[authorization]", values: ["*"] }] }]',
    ],
    rows: [
      [bearer(), 403],
      [{}, 200],
    ],
  },
  {
    name: "a token that is not forwarded is gone before policies look",
    authentication: [ONE],
    authorization: [
      'action: DENY, rules: [{ when: [{ key: "request.headers[authorization]", values: ["*"] }] }]',
    ],
    rows: [
      [bearer(), 200],
      [{ headers: [["authorization", "Basic YTpi"]] }, 403],
    ],
  },
  {
    name: "an issuer whose keys cannot be had",
    authentication: [
      'jwtRules: [{ issuer: "https://issuer.example.com", jwksUri: "https://issuer.example.com/keys" }]',
    ],
    authorization: [],
    rows: [
      [{}, 200],
      [bearer(), 401],
    ],
  },
];
