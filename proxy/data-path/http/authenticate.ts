import { type Authentication, authenticate, type VerifiedToken } from "../../../mesh/jwt/authenticate.ts";
import type { JwtAuthentication } from "../../../mesh/jwt/authentication.ts";
import { claimHeaders, reservedHeaders, tokenMetadata } from "../../../mesh/jwt/claims.ts";
import { tokensIn } from "../../../mesh/jwt/find-tokens.ts";
import type { RequestFacts } from "../../tables/facts.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { AcceptedRequest } from "./accept-request.ts";
import type { HeadFacts } from "./head-facts.ts";
import type { LocalReply } from "./local-reply.ts";

/** Envoy's name for what this filter leaves behind. */
const JWT_METADATA = "envoy.filters.http.jwt_authn";

type AuthenticatedRequest =
  | {
      readonly kind: "passed";
      readonly accepted: AcceptedRequest;
      /** Of the first token that was found; empty: there was none. */
      readonly issuer: string;
      /** The routes may ask for claims that are known only now. */
      readonly routeAgain: boolean;
    }
  | { readonly kind: "refused"; readonly reply: LocalReply };

export type Authenticator = (accepted: AcceptedRequest, nowMs: number) => AuthenticatedRequest;

/**
 * Looks for the tokens of a request. What they say goes into the request's metadata and into the headers that were asked
 * for, which nobody else may fill; a token that is not to be forwarded is taken out.
 */
export function compileJwt(authentication: JwtAuthentication): Authenticator {
  const reserved = reservedHeaders(authentication.providers.values());
  return (accepted, nowMs) => {
    const { facts, headers } = accepted;
    for (const name of reserved) headers.delete(name);
    if (authentication.bypassPreflight && isPreflight(facts))
      return { kind: "passed", accepted, issuer: "", routeAgain: false };
    const outcome = authenticate(authentication, tokensIn(facts), Math.floor(nowMs / 1000));
    if (outcome.kind === "refused") return { kind: "refused", reply: refusal(outcome) };
    const { verified } = outcome;
    for (const one of verified) take(one, accepted);
    return {
      kind: "passed",
      accepted: { headers, facts: withoutTokens(facts, verified) },
      issuer: verified[0]?.provider.issuer ?? "",
      routeAgain: verified.some(({ provider }) => provider.clearsRoute),
    };
  };
}

function isPreflight(facts: RequestFacts): boolean {
  const has = (name: string): boolean => (facts.header(name) ?? "") !== "";
  return facts.method === "OPTIONS" && has("origin") && has("access-control-request-method");
}

function take(verified: VerifiedToken, { facts, headers }: AcceptedRequest): void {
  const { provider, place } = verified;
  facts.metadata.add(JWT_METADATA, tokenMetadata(verified));
  for (const [name, value] of claimHeaders(verified)) headers.set(name, value);
  if (!provider.forward && place.kind === "header") headers.delete(place.name);
}

/** The request with a query that has no token which is not to be forwarded. */
function withoutTokens(facts: HeadFacts, verified: readonly VerifiedToken[]): HeadFacts {
  const taken = verified.flatMap(({ provider, place }) =>
    provider.forward || place.kind !== "query" ? [] : [place.name],
  );
  if (taken.length === 0) return facts;
  const kept = facts.query
    .slice(1)
    .split("&")
    .filter((pair) => !taken.some((name) => pair === name || pair.startsWith(`${name}=`)));
  return facts.withQuery(kept.length === 0 ? "" : `?${kept.join("&")}`);
}

/** RFC 6750 §3: with a token that is no good, and without one, different things are told. */
function refusal({ status, reason }: Extract<Authentication, { kind: "refused" }>): LocalReply {
  const headers = new HeaderList();
  if (status === 401)
    headers.append(
      "www-authenticate",
      reason === "Jwt is missing" ? "Bearer" : 'Bearer error="invalid_token"',
    );
  return {
    status,
    body: reason,
    headers,
    details: `jwt_authn_access_denied{${reason.replaceAll(" ", "_")}}`,
  };
}
