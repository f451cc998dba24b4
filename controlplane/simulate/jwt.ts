import { authenticate, type VerifiedToken } from "../../mesh/jwt/authenticate.ts";
import type { JwtProvider, JwtRequirement, TokenPlace } from "../../mesh/jwt/authentication.ts";
import { claimHeaders, reservedHeaders, tokenMetadata } from "../../mesh/jwt/claims.ts";
import { tokensIn } from "../../mesh/jwt/find-tokens.ts";
import { parseKeySet } from "../../mesh/jwt/key-set.ts";
import type {
  JwtAuthentication,
  JwtProvider as ProviderMessage,
  JwtRequirement as RequirementMessage,
} from "../../mesh/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config.ts";
import type { MetadataMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import { JWT_PAYLOAD } from "../translate/authn/jwt-metadata.ts";
import type { SeenToken } from "./hidden-parts.ts";
import type { HttpRequest } from "./http-request.ts";

const JWT_METADATA = "envoy.filters.http.jwt_authn";
const DEFAULT_SKEW_SECONDS = 60;

export type TokenResult =
  | {
      readonly kind: "passed";
      /** The request with what is known now, and without the tokens that are not to be forwarded. */
      readonly request: HttpRequest;
      /** `issuer/subject` of each token that was found and is good. */
      readonly principals: readonly string[];
    }
  | { readonly kind: "refused"; readonly status: number; readonly reason: string };

/** What the JWT filter makes of a request at a moment; without a moment the times of tokens are not looked at. */
export function checkTokens(
  message: JwtAuthentication,
  request: HttpRequest,
  nowMs: number | undefined,
): TokenResult {
  const nothing = { kind: "passed", request, principals: [] } as const;
  if (message.bypassCorsPreflight && isPreflight(request)) return nothing;
  const requires = message.rules[0]?.requires;
  if (requires === undefined) return nothing;
  const providers = new Map(
    Object.entries(message.providers).map(([name, provider]) => [name, providerOf(provider)]),
  );
  const requirement = requirementOf(requires);
  const now = nowMs === undefined ? Number.NaN : Math.floor(nowMs / 1000);
  const outcome = authenticate({ providers, requirement, bypassPreflight: false }, tokensIn(request), now);
  if (outcome.kind === "refused") return outcome;
  return {
    kind: "passed",
    request: known(request, outcome.verified, reservedHeaders(providers.values())),
    principals: outcome.verified.map(
      ({ token: { claims } }) => `${textOf(claims["iss"])}/${textOf(claims["sub"])}`,
    ),
  };
}

/**
 * The same of a token that was seen before and is not here: of one that was verified its issuer is known. Whether its
 * audience, keys and times still please is not asked again.
 */
export function recallToken(message: JwtAuthentication, request: HttpRequest, token: SeenToken): TokenResult {
  switch (token.kind) {
    case "of": {
      const { issuer } = token;
      const isTaken = Object.values(message.providers).some((provider) => provider.issuer === issuer);
      if (!isTaken) return { kind: "refused", status: 401, reason: "Jwt issuer is not configured" };
      const metadata = { ...request.metadata, [JWT_METADATA]: { [JWT_PAYLOAD]: { iss: issuer } } };
      return { kind: "passed", request: { ...request, metadata }, principals: [`${issuer}/…`] };
    }
    case "refused":
      return { kind: "refused", status: 401, reason: "the token was no good" };
    case "none":
    case "hidden":
      return { kind: "passed", request, principals: [] };
    default:
      return token satisfies never;
  }
}

/** Whether what a policy asks of the metadata is known of a request whose token was seen before. */
export function isClaimKnown(
  { filter, path }: MetadataMatcher,
  token: SeenToken,
  { metadata }: HttpRequest,
): boolean {
  const [place, claim] = path;
  if (filter !== JWT_METADATA || place?.key !== JWT_PAYLOAD) return true;
  if (token.kind === "hidden") return false;
  return metadata[JWT_METADATA] === undefined || claim?.key === "iss";
}

function textOf(claim: unknown): string {
  return typeof claim === "string" ? claim : "";
}

function known(
  request: HttpRequest,
  verified: readonly VerifiedToken[],
  reserved: ReadonlySet<string>,
): HttpRequest {
  const told = new Map(verified.flatMap(claimHeaders));
  const taken = verified.flatMap(({ provider, place }) => (provider.forward ? [] : [place]));
  const headers = new Set(taken.flatMap(({ kind, name }) => (kind === "header" ? [name] : [])));
  const parameters = taken.flatMap(({ kind, name }) => (kind === "query" ? [name] : []));
  const query = request.query
    .slice(1)
    .split("&")
    .filter((pair) => !parameters.includes(pair.split("=", 1)[0] ?? ""));
  const fields: object = Object.assign({}, ...verified.map(tokenMetadata));
  return {
    ...request,
    query: parameters.length === 0 ? request.query : query.length === 0 ? "" : `?${query.join("&")}`,
    metadata: verified.length === 0 ? request.metadata : { ...request.metadata, [JWT_METADATA]: fields },
    headerValues: (name) => {
      const key = name.toLowerCase();
      if (reserved.has(key)) return [told.get(key)].filter((value) => value !== undefined);
      return headers.has(key) ? [] : request.headerValues(name);
    },
  };
}

function isPreflight(request: HttpRequest): boolean {
  const has = (name: string): boolean => (request.headerValues(name)[0] ?? "") !== "";
  return request.method === "OPTIONS" && has("origin") && has("access-control-request-method");
}

function providerOf(from: ProviderMessage): JwtProvider {
  const set = parseKeySet(from.localJwks?.inlineString ?? "");
  const places: readonly TokenPlace[] = [
    ...from.fromHeaders.map(
      ({ name, valuePrefix: prefix }) => ({ kind: "header", name: name.toLowerCase(), prefix }) as const,
    ),
    ...from.fromParams.map((name) => ({ kind: "query", name }) as const),
    ...from.fromCookies.map((name) => ({ kind: "cookie", name }) as const),
  ];
  return {
    issuer: from.issuer,
    audiences: from.audiences,
    keys: set.kind === "keys" ? set.keys : [],
    requireExpiration: from.requireExpiration,
    clockSkewSeconds: from.clockSkewSeconds || DEFAULT_SKEW_SECONDS,
    places: places.length > 0 ? places : USUAL_PLACES,
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

const USUAL_PLACES: readonly TokenPlace[] = [
  { kind: "header", name: "authorization", prefix: "Bearer " },
  { kind: "query", name: "access_token" },
];

function requirementOf(from: RequirementMessage): JwtRequirement {
  if (from.providerName !== undefined) return { kind: "provider", name: from.providerName };
  if (from.allowMissing !== undefined) return { kind: "missing" };
  const list = (from.requiresAny ?? from.requiresAll)?.requirements ?? [];
  return {
    kind: from.requiresAny ? "any" : "all",
    of: list.map((one) => requirementOf(one)),
  };
}
