import type { JwtAuthentication, JwtProvider, JwtRequirement, TokenPlace } from "./authentication.ts";
import { parseToken, type Token, type TokenProblem } from "./token.ts";
import { type TokenRefusal, tokenRefusal } from "./verify-token.ts";

/** The tokens that a request has at a place, each as it came. */
export type TokensAt = (place: TokenPlace) => readonly string[];

/** A token that is genuine and in force. */
export interface VerifiedToken {
  readonly provider: JwtProvider;
  readonly token: Token;
  readonly place: TokenPlace;
}

export type Authentication =
  | { readonly kind: "passed"; readonly verified: readonly VerifiedToken[] }
  /** `reason` is in Envoy's words: callers are told. */
  | { readonly kind: "refused"; readonly status: 401 | 403; readonly reason: AuthenticationRefusal };

type AuthenticationRefusal = "Jwt is missing" | "Jwt issuer is not configured" | TokenProblem | TokenRefusal;

/** The token is good, and was issued for somebody else: another one would not help. */
const NOT_FOR_US: AuthenticationRefusal = "Audiences in Jwt are not allowed";

type Outcome = readonly VerifiedToken[] | AuthenticationRefusal;

/**
 * Whether a request has the tokens that are required of it, as Envoy's JWT filter decides it: at the places of a provider
 * every token counts, so that no bad one goes on beside a good one; the first alternative that holds ends the search.
 */
export function authenticate(
  { providers, requirement }: JwtAuthentication,
  tokensAt: TokensAt,
  nowSeconds: number,
): Authentication {
  const everyone = [...providers.values()];
  const byIssuer = new Map(everyone.map((provider) => [provider.issuer, provider]));

  function evaluate(required: JwtRequirement): Outcome {
    switch (required.kind) {
      case "provider": {
        const provider = providers.get(required.name);
        if (provider === undefined) return "Jwt issuer is not configured";
        const found = tokensOf([provider]);
        return found.length === 0 ? "Jwt is missing" : verifyAll(found, provider);
      }
      case "missing":
        return verifyAll(tokensOf(everyone), undefined);
      case "any":
        return firstOf(required.of);
      case "all":
        return allOf(required.of);
      default:
        return required satisfies never;
    }
  }

  function firstOf(alternatives: readonly JwtRequirement[]): Outcome {
    let refusal: AuthenticationRefusal = "Jwt is missing";
    for (const alternative of alternatives) {
      const outcome = evaluate(alternative);
      if (typeof outcome !== "string") return outcome;
      // What is wrong with a token says more than that it is another's.
      if (outcome !== "Jwt issuer is not configured" || refusal === "Jwt is missing") refusal = outcome;
    }
    return refusal;
  }

  function allOf(parts: readonly JwtRequirement[]): Outcome {
    const verified: VerifiedToken[] = [];
    for (const part of parts) {
      const outcome = evaluate(part);
      if (typeof outcome === "string") return outcome;
      verified.push(...outcome);
    }
    return verified;
  }

  function tokensOf(some: readonly JwtProvider[]): readonly FoundToken[] {
    const places = new Map(some.flatMap((one) => one.places).map((place) => [keyOf(place), place]));
    return [...places.values()].flatMap((place) => tokensAt(place).map((text) => ({ text, place })));
  }

  /** `only`: the issuer whose tokens they must be. */
  function verifyAll(found: readonly FoundToken[], only: JwtProvider | undefined): Outcome {
    const verified: VerifiedToken[] = [];
    // Where two say something different, the one of the first place counts: it comes last.
    for (const { text, place } of found.toReversed()) {
      const token = parseToken(text);
      if (typeof token === "string") return token;
      const issuer = token.claims["iss"];
      const provider = typeof issuer === "string" ? byIssuer.get(issuer) : undefined;
      if (provider === undefined || !everyone.some((one) => isAt(one, provider.issuer, place)))
        return "Jwt issuer is not configured";
      if (only !== undefined && only.issuer !== provider.issuer) return "Jwt issuer is not configured";
      const refusal = tokenRefusal(token, only ?? provider, nowSeconds);
      if (refusal !== undefined) return refusal;
      verified.push({ provider: only ?? provider, token, place });
    }
    return verified;
  }

  const outcome = requirement === undefined ? [] : evaluate(requirement);
  if (typeof outcome !== "string") return { kind: "passed", verified: outcome };
  return { kind: "refused", status: outcome === NOT_FOR_US ? 403 : 401, reason: outcome };
}

interface FoundToken {
  readonly text: string;
  readonly place: TokenPlace;
}

function isAt(provider: JwtProvider, issuer: string, place: TokenPlace): boolean {
  return provider.issuer === issuer && provider.places.some((one) => keyOf(one) === keyOf(place));
}

function keyOf(place: TokenPlace): string {
  return place.kind === "header" ? `header ${place.name} ${place.prefix}` : `${place.kind} ${place.name}`;
}
