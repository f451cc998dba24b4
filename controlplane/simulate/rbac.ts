import {
  type Permission,
  type Principal,
  type RBAC,
  RBAC_Action,
} from "../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import { longestRange } from "./addresses.ts";
import type { Call } from "./call.ts";
import type { HttpRequest } from "./http-request.ts";
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
}

const ACTIONS: Readonly<Record<number, RbacResult["action"]>> = {
  [RBAC_Action.ALLOW]: "ALLOW",
  [RBAC_Action.DENY]: "DENY",
  [RBAC_Action.LOG]: "LOG",
};

/** What a set of policies says about a call. */
export function evaluateRbac(rules: RBAC, subject: RbacSubject): RbacResult {
  const matched = Object.entries(rules.policies).find(
    ([, { permissions, principals }]) =>
      permissions.some((one) => permits(one, subject)) && principals.some((one) => identifies(one, subject)),
  );
  const action = ACTIONS[rules.action] ?? "DENY";
  const allowed = action === "LOG" || (matched !== undefined) === (action === "ALLOW");
  return { action, allowed, policy: matched?.[0] };
}

function permits(rule: Permission, subject: RbacSubject): boolean {
  const { call, request } = subject;
  if (rule.any) return true;
  if (rule.andRules) return rule.andRules.rules.every((one) => permits(one, subject));
  if (rule.orRules) return rule.orRules.rules.some((one) => permits(one, subject));
  if (rule.notRule) return !permits(rule.notRule, subject);
  if (rule.header) return request !== undefined && matchHeader(rule.header, request);
  if (rule.urlPath) {
    const matcher = rule.urlPath.path;
    return request !== undefined && matcher !== undefined && matchString(matcher, request.path);
  }
  const left = rule.sourcedMetadata?.metadataMatcher;
  if (left) return request !== undefined && matchMetadata(left, request.metadata);
  if (rule.destinationIp) return longestRange([rule.destinationIp], call.address) !== undefined;
  if (rule.destinationPort !== undefined) return rule.destinationPort === call.port;
  if (rule.requestedServerName) return matchString(rule.requestedServerName, call.tls?.sni ?? "");
  return false;
}

function identifies(rule: Principal, subject: RbacSubject): boolean {
  const { call, request } = subject;
  const { principal, address } = call.source;
  const { clientAddress } = subject;
  if (rule.any) return true;
  if (rule.andIds) return rule.andIds.ids.every((one) => identifies(one, subject));
  if (rule.orIds) return rule.orIds.ids.some((one) => identifies(one, subject));
  if (rule.notId) return !identifies(rule.notId, subject);
  if (rule.authenticated) {
    const name = rule.authenticated.principalName;
    return principal !== undefined && (name === undefined || matchString(name, principal));
  }
  if (rule.directRemoteIp) return longestRange([rule.directRemoteIp], address) !== undefined;
  const range = rule.remoteIp ?? rule.sourceIp;
  if (range) return longestRange([range], clientAddress) !== undefined;
  if (rule.header) return request !== undefined && matchHeader(rule.header, request);
  const left = rule.sourcedMetadata?.metadataMatcher;
  if (left) return request !== undefined && matchMetadata(left, request.metadata);
  return false;
}
