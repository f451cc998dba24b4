import { generateKeyPairSync } from "node:crypto";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const KEYS = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "a" }] });
const SECRETS = JSON.stringify({ keys: [{ kty: "oct", k: "c2VjcmV0" }] });

const PLAIN = {
  issuer: "https://issuer.example.com",
  audiences: [],
  jwksUri: "",
  jwks: "",
  fromHeaders: [],
  fromParams: [],
  fromCookies: [],
  outputPayloadToHeader: "",
  forwardOriginalToken: false,
  outputClaimToHeaders: [],
  timeoutMs: undefined,
  spaceDelimitedClaims: [],
};

const good: readonly GoodCase<"RequestAuthentication">[] = [
  { name: "no rule", spec: {}, want: { selector: {}, jwtRules: [] } },
  {
    name: "an issuer alone, whose keys are where its OpenID configuration says",
    spec: { jwtRules: [{ issuer: PLAIN.issuer }] },
    want: { jwtRules: [PLAIN] },
  },
  {
    name: "everything",
    spec: {
      selector: { matchLabels: { app: "reviews" } },
      jwtRules: [
        {
          issuer: PLAIN.issuer,
          audiences: ["a", "b"],
          jwksUri: "https://issuer.example.com/keys",
          fromHeaders: [{ name: "x-token", prefix: "Token " }, { name: "y_token" }],
          fromParams: ["token"],
          fromCookies: ["session"],
          outputPayloadToHeader: "x-claims",
          forwardOriginalToken: true,
          outputClaimToHeaders: [{ header: "x-group", claim: "group.id" }],
          timeout: "2s",
          spaceDelimitedClaims: ["roles"],
        },
      ],
    },
    want: {
      selector: { app: "reviews" },
      jwtRules: [
        {
          issuer: PLAIN.issuer,
          audiences: ["a", "b"],
          jwksUri: "https://issuer.example.com/keys",
          jwks: "",
          fromHeaders: [
            { name: "x-token", prefix: "Token " },
            { name: "y_token", prefix: "" },
          ],
          fromParams: ["token"],
          fromCookies: ["session"],
          outputPayloadToHeader: "x-claims",
          forwardOriginalToken: true,
          outputClaimToHeaders: [{ header: "x-group", claim: "group.id" }],
          timeoutMs: 2000,
          spaceDelimitedClaims: ["roles"],
        },
      ],
    },
  },
  {
    name: "keys in place",
    spec: { jwtRules: [{ issuer: PLAIN.issuer, jwks: KEYS }] },
    want: { jwtRules: [{ ...PLAIN, jwks: KEYS }] },
  },
  {
    name: "keys that are fetched without TLS",
    spec: { jwtRules: [{ issuer: PLAIN.issuer, jwksUri: "http://issuer.example.com/keys" }] },
    want: { jwtRules: [{ ...PLAIN, jwksUri: "http://issuer.example.com/keys" }] },
    warnings: [["spec.jwtRules[0].jwksUri", "without TLS"]],
  },
];

const bad: readonly BadCase[] = [
  {
    name: "no issuer, and an empty one",
    spec: { jwtRules: [{}, { issuer: "" }] },
    errors: [
      ["spec.jwtRules[0].issuer", "is required"],
      ["spec.jwtRules[1].issuer", "must not be empty"],
    ],
  },
  {
    name: "keys that are none, and a shared secret",
    spec: {
      jwtRules: [
        { issuer: "a", jwks: "{" },
        { issuer: "a", jwks: "[]" },
        { issuer: "a", jwks: SECRETS },
      ],
    },
    errors: [
      ["spec.jwtRules[0].jwks", "not a usable JWK set"],
      ["spec.jwtRules[1].jwks", "not a usable JWK set"],
      ["spec.jwtRules[2].jwks", "no public key"],
    ],
  },
  {
    name: "keys in two places",
    spec: { jwtRules: [{ issuer: "a", jwks: KEYS, jwksUri: "https://a/keys" }] },
    errors: [["spec.jwtRules[0].jwks", "beside jwksUri"]],
  },
  ...["ftp://a/keys", "keys", "file:///etc/passwd", "https://user:password@a/keys"].map(
    (jwksUri): BadCase => ({
      name: `keys at ${jwksUri}`,
      spec: { jwtRules: [{ issuer: "a", jwksUri }] },
      errors: [["spec.jwtRules[0].jwksUri", "must"]],
    }),
  ),
  {
    name: "empty places and names that are none",
    spec: {
      jwtRules: [
        {
          issuer: "a",
          audiences: [""],
          fromHeaders: [{ name: "" }],
          fromParams: [""],
          fromCookies: [""],
          outputPayloadToHeader: "a b",
          outputClaimToHeaders: [{ header: "a:b", claim: "" }],
          spaceDelimitedClaims: [""],
          timeout: "0s",
        },
      ],
    },
    errors: [
      ["spec.jwtRules[0].audiences[0]", "must not be empty"],
      ["spec.jwtRules[0].fromHeaders[0].name", "must not be empty"],
      ["spec.jwtRules[0].fromParams[0]", "must not be empty"],
      ["spec.jwtRules[0].fromCookies[0]", "must not be empty"],
      ["spec.jwtRules[0].outputPayloadToHeader", "is not a header's name"],
      ["spec.jwtRules[0].outputClaimToHeaders[0].header", "is not a header's name"],
      ["spec.jwtRules[0].outputClaimToHeaders[0].claim", "must not be empty"],
      ["spec.jwtRules[0].spaceDelimitedClaims[0]", "must not be empty"],
      ["spec.jwtRules[0].timeout", "at least 1ms"],
    ],
  },
  {
    name: "a gateway by reference",
    spec: { targetRefs: [{ kind: "Gateway", name: "a" }] },
    errors: [["spec.targetRefs", "not supported yet"]],
  },
];

testKind("RequestAuthentication", "security.istio.io/v1", { good, bad });
