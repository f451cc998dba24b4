import {
  type Permission,
  type Principal,
  type RBAC,
  RBAC_Action,
} from "../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import type { Rbac, RbacFilter, RbacRule } from "../model/rbac.ts";
import { parseHeaderMatch, parseStringMatch } from "./match.ts";
import { parseMetadataMatch } from "./metadata-match.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { cidr } from "./values.ts";

const DEEPEST = 32;

/** What the HTTP filter and the network filter have alike. */
interface RbacRules {
  readonly rules: RBAC | undefined;
  readonly shadowRules: RBAC | undefined;
  readonly shadowRulesStatPrefix: string;
}

export function parseRbacFilter(
  where: string,
  { rules, shadowRules, shadowRulesStatPrefix }: RbacRules,
): RbacFilter {
  return {
    enforced: rules && parseRbac(where, rules),
    shadow: shadowRules && parseRbac(where, shadowRules),
    shadowPrefix: shadowRulesStatPrefix,
  };
}

function parseRbac(where: string, from: RBAC): Rbac {
  onlyFields(where, from, ["action", "policies"]);
  return {
    action: parseAction(where, from),
    policies: Object.entries(from.policies).map(([name, policy]) => {
      const at = `${where}: policy "${name}"`;
      onlyFields(at, policy, ["permissions", "principals"]);
      return {
        name,
        permissions: policy.permissions.map((permission) => parsePermission(at, permission, 0)),
        principals: policy.principals.map((principal) => parsePrincipal(at, principal, 0)),
      };
    }),
  };
}

function parseAction(where: string, from: RBAC): Rbac["action"] {
  if (from.action === RBAC_Action.ALLOW) return "ALLOW";
  if (from.action === RBAC_Action.DENY) return "DENY";
  if (from.action === RBAC_Action.LOG) return "LOG";
  throw unsupported(where, `RBAC action ${from.action}`);
}

function parsePermission(where: string, from: Permission, depth: number): RbacRule {
  if (depth > DEEPEST) throw invalid(where, `permissions are nested more than ${DEEPEST} deep`);
  const rules = (all: readonly Permission[]): RbacRule[] =>
    all.map((one) => parsePermission(where, one, depth + 1));
  if (from.andRules) return { kind: "and", rules: rules(from.andRules.rules) };
  if (from.orRules) return { kind: "or", rules: rules(from.orRules.rules) };
  if (from.notRule) return { kind: "not", rule: parsePermission(where, from.notRule, depth + 1) };
  if (from.any) return { kind: "any" };
  if (from.header) return { kind: "header", header: parseHeaderMatch(where, from.header) };
  if (from.urlPath) return { kind: "path", match: parseStringMatch(where, from.urlPath.path) };
  if (from.destinationIp) return { kind: "destination-ip", cidr: cidr(where, from.destinationIp) };
  if (from.destinationPort !== undefined) {
    return { kind: "destination-port", start: from.destinationPort, end: from.destinationPort + 1 };
  }
  if (from.destinationPortRange) return { kind: "destination-port", ...from.destinationPortRange };
  const left = from.sourcedMetadata?.metadataMatcher;
  if (left) return { kind: "metadata", metadata: parseMetadataMatch(where, left) };
  if (from.requestedServerName) {
    return { kind: "server-name", match: parseStringMatch(where, from.requestedServerName) };
  }
  onlyFields(`${where}: permission`, from, []);
  throw invalid(where, "a permission without a rule");
}

function parsePrincipal(where: string, from: Principal, depth: number): RbacRule {
  if (depth > DEEPEST) throw invalid(where, `principals are nested more than ${DEEPEST} deep`);
  const rules = (all: readonly Principal[]): RbacRule[] =>
    all.map((one) => parsePrincipal(where, one, depth + 1));
  if (from.andIds) return { kind: "and", rules: rules(from.andIds.ids) };
  if (from.orIds) return { kind: "or", rules: rules(from.orIds.ids) };
  if (from.notId) return { kind: "not", rule: parsePrincipal(where, from.notId, depth + 1) };
  if (from.any) return { kind: "any" };
  if (from.authenticated) {
    const name = from.authenticated.principalName;
    return { kind: "authenticated", match: name && parseStringMatch(where, name) };
  }
  if (from.directRemoteIp) return { kind: "direct-remote-ip", cidr: cidr(where, from.directRemoteIp) };
  if (from.sourceIp) return { kind: "remote-ip", cidr: cidr(where, from.sourceIp) };
  if (from.remoteIp) return { kind: "remote-ip", cidr: cidr(where, from.remoteIp) };
  if (from.header) return { kind: "header", header: parseHeaderMatch(where, from.header) };
  const left = from.sourcedMetadata?.metadataMatcher;
  if (left) return { kind: "metadata", metadata: parseMetadataMatch(where, left) };
  if (from.urlPath) {
    return { kind: "path", match: parseStringMatch(where, required(where, "path", from.urlPath.path)) };
  }
  onlyFields(`${where}: principal`, from, []);
  throw invalid(where, "a principal without a rule");
}
