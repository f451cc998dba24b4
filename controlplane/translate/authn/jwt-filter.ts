import { parseKeySet } from "../../../mesh/jwt/key-set.ts";
import { NO_KEYS } from "../../../mesh/jwt/no-keys.ts";
import type { JwtRule } from "../../../mesh/model/request-authentication.ts";
import { Principal, RBAC, RBAC_Action } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import {
  JwtAuthentication,
  JwtProvider,
  JwtRequirement,
} from "../../../mesh/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config.ts";
import type { HttpFilter } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { ValueMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/value.ts";
import { jwtRulesFor } from "../../policy/request-authentication.ts";
import { keySource } from "../../snapshot/key-sets.ts";
import type { SnapshotView, WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { permissions, principals } from "../authz/boolean.ts";
import { httpRbacFilter, jwtAuthnFilter } from "../filters/security-filters.ts";
import type { Scope } from "../memo.ts";
import { JWT_PAYLOAD, NOT_UNDERSTOOD, tokenField } from "./jwt-metadata.ts";

/** Claims that are lists written with spaces (RFC 8693 §4.2, and what some issuers have for it). */
const SPACE_DELIMITED = ["scope", "permission"];

/**
 * Recognises the tokens of a workload's callers and leaves their claims where policies and routes look for them; none
 * when no RequestAuthentication is for the workload. A request without a token passes, one with a bad token is answered
 * with 401. `routesByClaims`: routes are chosen anew once the claims are known.
 */
export function jwtFilters(
  { view, warn }: Scope,
  workload: Pick<WorkloadConfig, "namespace" | "labels">,
  { routesByClaims }: { readonly routesByClaims: boolean },
): readonly HttpFilter[] {
  const rules = jwtRulesFor(view, workload);
  if (rules.length === 0) return [];
  const providers = rules.map(({ subject, rule }, index) => {
    const keys = keysOf(view, rule);
    if (keys === undefined) {
      const message = `the keys of issuer ${rule.issuer} are not there (yet): every token of it is refused`;
      warn({ subject, message });
    }
    const provider = providerOf(rule, keys ?? NO_KEYS, routesByClaims);
    return JwtProvider.fromPartial({ ...provider, headerInMetadata: headerKey(index) });
  });
  const named = Object.fromEntries(providers.map((provider, index) => [`origins-${index}`, provider]));
  const authentication = JwtAuthentication.fromPartial({
    providers: named,
    rules: [{ match: { prefix: "/" }, requires: requirement(Object.keys(named)) }],
    bypassCorsPreflight: true,
  });
  const enforced = notUnderstood(rules.length);
  const understood = { enforced, prefix: "", shadow: undefined, shadowPrefix: "" };
  return [jwtAuthnFilter(authentication), httpRbacFilter(understood)];
}

/** Where the metadata has the header of a provider's token. */
function headerKey(provider: number): string {
  return `header-${provider}`;
}

/**
 * A token whose header says that something about it must be understood (RFC 7515 §4.1.11) is none for who does not
 * understand it. Envoy does not look there itself.
 */
function notUnderstood(providers: number): RBAC {
  const present = ValueMatcher.fromPartial({ presentMatch: true });
  const ids = Array.from({ length: providers }, (_, index) =>
    ["crit", "b64"].map((field) =>
      Principal.fromPartial({
        sourcedMetadata: { metadataMatcher: tokenField([headerKey(index), field], present) },
      }),
    ),
  );
  return RBAC.fromPartial({
    action: RBAC_Action.DENY,
    policies: {
      [NOT_UNDERSTOOD]: {
        permissions: [permissions.always],
        principals: [principals.any(ids.flat())],
      },
    },
  });
}

/** The issuer's public keys alone, whoever wrote the set; undefined while they are not there. */
function keysOf(view: SnapshotView, rule: JwtRule): string | undefined {
  const source = keySource(rule);
  const text = source === undefined ? rule.jwks : view.keySet(source);
  const parsed = text === undefined ? undefined : parseKeySet(text);
  return parsed?.kind === "keys" ? parsed.text : undefined;
}

function providerOf(rule: JwtRule, keys: string, clearRouteCache: boolean): JwtProvider {
  return JwtProvider.fromPartial({
    issuer: rule.issuer,
    audiences: [...rule.audiences],
    // Istio lets a token without an end pass: who stole one would have it for ever.
    requireExpiration: true,
    localJwks: { inlineString: keys },
    forward: rule.forwardOriginalToken,
    fromHeaders: rule.fromHeaders.map(({ name, prefix }) => ({ name, valuePrefix: prefix })),
    fromParams: [...rule.fromParams],
    fromCookies: [...rule.fromCookies],
    forwardPayloadHeader: rule.outputPayloadToHeader,
    claimToHeaders: rule.outputClaimToHeaders.map(({ header, claim }) => ({
      headerName: header,
      claimName: claim,
    })),
    payloadInMetadata: JWT_PAYLOAD,
    normalizePayloadInMetadata: {
      spaceDelimitedClaims: [...new Set([...SPACE_DELIMITED, ...rule.spaceDelimitedClaims])],
    },
    clearRouteCache,
  });
}

/**
 * A good token of any of the issuers, or no token at all. With several issuers that is any of them, or for each of them
 * "its token or none", so that a token that no issuer has signed is not taken for a missing one.
 */
function requirement(names: readonly string[]): JwtRequirement {
  const one = (providerName: string): JwtRequirement => JwtRequirement.fromPartial({ providerName });
  const oneOrNone = names.map((name) =>
    JwtRequirement.fromPartial({ requiresAny: { requirements: [one(name), { allowMissing: {} }] } }),
  );
  const [single] = oneOrNone;
  if (single !== undefined && names.length === 1) return single;
  return JwtRequirement.fromPartial({
    requiresAny: { requirements: [...names.map(one), { requiresAll: { requirements: oneOrNone } }] },
  });
}
