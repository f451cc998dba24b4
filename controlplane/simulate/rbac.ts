import {
  type Permission,
  type Principal,
  type RBAC,
  RBAC_Action,
} from "../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import type { HeaderMatcher } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { MetadataMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import type { StringMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import { longestRange } from "./addresses.ts";
import type { Call } from "./call.ts";
import { every, isHeaderKnown, matchStart, not, some, type Truth } from "./hidden-parts.ts";
import type { HttpRequest } from "./http-request.ts";
import { isClaimKnown } from "./jwt.ts";
import { matchHeader } from "./match-header.ts";
import { matchMetadata } from "./match-metadata.ts";
import { matchString } from "./match-string.ts";

/** A connection, and the request on it unless it is plain TCP: everything that asks for one is false then. */
export interface RbacSubject {
  readonly call: Call;
  readonly request: HttpRequest | undefined;
  /** Whose call it is, as far as x-forwarded-for is believed. */
  readonly clientAddress: string;
}

export interface RbacResult {
  readonly action: "ALLOW" | "DENY" | "LOG";
  readonly allowed: boolean;
  /** The policy that matched, first by name; undefined when none did. */
  readonly policy: string | undefined;
  /** Policies that would decide, had they not asked for what is hidden; the call goes on then. */
  readonly undecided: readonly string[];
}

const ACTIONS: Readonly<Record<number, RbacResult["action"]>> = {
  [RBAC_Action.ALLOW]: "ALLOW",
  [RBAC_Action.DENY]: "DENY",
  [RBAC_Action.LOG]: "LOG",
};

/** What a set of policies says about a call. */
export function evaluateRbac(rules: RBAC, subject: RbacSubject): RbacResult {
  const action = ACTIONS[rules.action] ?? "DENY";
  const undecided: string[] = [];
  for (const [name, { permissions, principals }] of Object.entries(rules.policies)) {
    const matches = every([
      some(permissions.map((one) => permits(one, subject))),
      some(principals.map((one) => identifies(one, subject))),
    ]);
    if (matches === true) return { action, allowed: action !== "DENY", policy: name, undecided: [] };
    if (matches === undefined) undecided.push(name);
  }
  return { action, allowed: action !== "ALLOW" || undecided.length > 0, policy: undefined, undecided };
}

function permits(rule: Permission, subject: RbacSubject): Truth {
  const { call } = subject;
  if (rule.any) return true;
  if (rule.andRules) return every(rule.andRules.rules.map((one) => permits(one, subject)));
  if (rule.orRules) return some(rule.orRules.rules.map((one) => permits(one, subject)));
  if (rule.notRule) return not(permits(rule.notRule, subject));
  if (rule.header) return headerIs(rule.header, subject);
  if (rule.urlPath) return rule.urlPath.path !== undefined && pathIs(rule.urlPath.path, subject);
  const left = rule.sourcedMetadata?.metadataMatcher;
  if (left) return metadataIs(left, subject);
  if (rule.destinationIp) return longestRange([rule.destinationIp], call.address) !== undefined;
  if (rule.destinationPort !== undefined) return rule.destinationPort === call.port;
  if (rule.requestedServerName && call.hidden !== undefined) return undefined;
  if (rule.requestedServerName) return matchString(rule.requestedServerName, call.tls?.sni ?? "");
  return false;
}

function identifies(rule: Principal, subject: RbacSubject): Truth {
  const { call } = subject;
  const { principal, address } = call.source;
  const { clientAddress } = subject;
  if (rule.any) return true;
  if (rule.andIds) return every(rule.andIds.ids.map((one) => identifies(one, subject)));
  if (rule.orIds) return some(rule.orIds.ids.map((one) => identifies(one, subject)));
  if (rule.notId) return not(identifies(rule.notId, subject));
  if (rule.authenticated) {
    const name = rule.authenticated.principalName;
    return principal !== undefined && (name === undefined || matchString(name, principal));
  }
  const range = rule.remoteIp ?? rule.sourceIp;
  if ((rule.directRemoteIp ?? range) !== undefined && call.hidden !== undefined) return undefined;
  if (rule.directRemoteIp) return longestRange([rule.directRemoteIp], address) !== undefined;
  if (range) return longestRange([range], clientAddress) !== undefined;
  if (rule.header) return headerIs(rule.header, subject);
  const left = rule.sourcedMetadata?.metadataMatcher;
  if (left) return metadataIs(left, subject);
  return false;
}

function headerIs(matcher: HeaderMatcher, { call, request }: RbacSubject): Truth {
  if (request === undefined) return false;
  if (call.hidden !== undefined && !isHeaderKnown(matcher, call.hidden)) return undefined;
  return matchHeader(matcher, request);
}

function pathIs(matcher: StringMatcher, { call, request }: RbacSubject): Truth {
  if (request === undefined) return false;
  switch (call.hidden?.path ?? "known") {
    case "known":
      return matchString(matcher, request.path);
    case "start":
      return matchStart(matcher, request.path);
    default:
      return undefined;
  }
}

function metadataIs(matcher: MetadataMatcher, { call, request }: RbacSubject): Truth {
  if (request === undefined) return false;
  if (call.hidden !== undefined && !isClaimKnown(matcher, call.hidden.token, request)) return undefined;
  return matchMetadata(matcher, request.metadata);
}
