import type {
  JwtAuthentication,
  JwtProvider,
  JwtRequirement,
  TokenPlace,
} from "../../mesh/jwt/authentication.ts";
import { parseKeySet } from "../../mesh/jwt/key-set.ts";
import {
  JwtAuthentication as AuthenticationMessage,
  type JwtProvider as ProviderMessage,
  type JwtRequirement as RequirementMessage,
} from "../../mesh/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { decode, inlineBytes } from "./values.ts";

export const JWT_TYPE = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication";

const DEEPEST = 8;
const DEFAULT_SKEW_SECONDS = 60;

/** Where tokens are when a provider names no place (RFC 6750 §2.1, §2.3). */
const DEFAULT_PLACES: readonly TokenPlace[] = [
  { kind: "header", name: "authorization", prefix: "Bearer " },
  { kind: "query", name: "access_token" },
];

export function parseJwtAuthentication(where: string, bytes: Uint8Array): JwtAuthentication {
  const from = decode(where, AuthenticationMessage, bytes);
  onlyFields(where, from, ["providers", "rules", "bypassCorsPreflight"]);
  const providers = new Map(
    Object.entries(from.providers).map(([name, provider]) => [
      name,
      parseProvider(`${where}: provider "${name}"`, provider),
    ]),
  );
  return {
    providers,
    requirement: parseRules(where, from, providers),
    bypassPreflight: from.bypassCorsPreflight,
  };
}

function parseProvider(where: string, from: ProviderMessage): JwtProvider {
  onlyFields(where, from, [
    "issuer",
    "audiences",
    "localJwks",
    "requireExpiration",
    "clockSkewSeconds",
    "fromHeaders",
    "fromParams",
    "fromCookies",
    "forward",
    "forwardPayloadHeader",
    "claimToHeaders",
    "payloadInMetadata",
    "headerInMetadata",
    "normalizePayloadInMetadata",
    "clearRouteCache",
  ]);
  if (from.issuer === "") throw unsupported(where, "a provider for any issuer");
  const set = parseKeySet(
    new TextDecoder().decode(inlineBytes(where, required(where, "local_jwks", from.localJwks))),
  );
  if (set.kind === "problem") throw invalid(where, `local_jwks: ${set.reason}`);
  const places = placesOf(from);
  return {
    issuer: from.issuer,
    audiences: from.audiences,
    keys: set.keys,
    requireExpiration: from.requireExpiration,
    clockSkewSeconds: from.clockSkewSeconds || DEFAULT_SKEW_SECONDS,
    places: places.length === 0 ? DEFAULT_PLACES : places,
    forward: from.forward,
    payloadHeader: from.forwardPayloadHeader.toLowerCase(),
    claimHeaders: from.claimToHeaders.map(({ headerName, claimName }) => ({
      header: headerName.toLowerCase(),
      claim: claimName.split("."),
    })),
    metadataKey: from.payloadInMetadata,
    headerKey: from.headerInMetadata,
    spaceDelimited: new Set(from.normalizePayloadInMetadata?.spaceDelimitedClaims),
    clearsRoute: from.clearRouteCache,
  };
}

function placesOf({ fromHeaders, fromParams, fromCookies }: ProviderMessage): readonly TokenPlace[] {
  return [
    ...fromHeaders.map(
      ({ name, valuePrefix }): TokenPlace => ({
        kind: "header",
        name: name.toLowerCase(),
        prefix: valuePrefix,
      }),
    ),
    ...fromParams.map((name): TokenPlace => ({ kind: "query", name })),
    ...fromCookies.map((name): TokenPlace => ({ kind: "cookie", name })),
  ];
}

/** One rule for all requests is what the control plane writes. */
function parseRules(
  where: string,
  { rules }: AuthenticationMessage,
  providers: ReadonlyMap<string, JwtProvider>,
): JwtRequirement | undefined {
  const [rule] = rules;
  if (rule === undefined) return undefined;
  if (rules.length > 1 || rule.match?.prefix !== "/" || rule.requirementName !== undefined)
    throw unsupported(where, "a rule for some requests only");
  onlyFields(`${where}: match`, rule.match, ["prefix"]);
  return rule.requires && parseRequirement(where, rule.requires, providers, 0);
}

function parseRequirement(
  where: string,
  from: RequirementMessage,
  providers: ReadonlyMap<string, JwtProvider>,
  depth: number,
): JwtRequirement {
  if (depth > DEEPEST) throw invalid(where, `requirements are nested more than ${DEEPEST} deep`);
  if (from.providerName !== undefined) {
    if (!providers.has(from.providerName))
      throw invalid(where, `there is no provider "${from.providerName}"`);
    return { kind: "provider", name: from.providerName };
  }
  if (from.allowMissing !== undefined) return { kind: "missing" };
  const list = from.requiresAny ?? from.requiresAll;
  if (list === undefined) throw unsupported(where, "a requirement of this kind");
  return {
    kind: from.requiresAny ? "any" : "all",
    of: list.requirements.map((one) => parseRequirement(where, one, providers, depth + 1)),
  };
}
