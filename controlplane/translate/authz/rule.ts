import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
} from "../../../mesh/model/authorization-policy.ts";
import type { Permission, Policy, Principal } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import { type BooleanAlgebra, permissions, principals } from "./boolean.ts";
import { conjunction, type Field, field, type Strictness, unenforceable } from "./field.ts";
import * as permission from "./permission.ts";
import * as principal from "./principal.ts";

/** Where a rule is enforced. */
export interface RuleContext {
  readonly trustDomains: principal.TrustDomains;
  readonly policyNamespace: string;
  readonly port: permission.PolicyPort | undefined;
  readonly http: boolean;
  readonly strictness: Strictness;
  /** Told why a part is not enforced as written, with the part's path. */
  readonly warn: (path: string, reason: string) => void;
}

const NEEDS_HTTP = "needs HTTP, and the port does not speak it";

/** One rule; undefined when nothing of it is left that could match. */
export function translateRule(
  rule: AuthorizationRule,
  context: RuleContext,
): Pick<Policy, "permissions" | "principals"> | undefined {
  const { strictness, warn } = context;
  const from = alternatives(principals, rule.from, (source, index) =>
    conjunction(principals, sourceFields(source, context), strictness, (reason) =>
      warn(`from[${index}].source`, reason),
    ),
  );
  const to = alternatives(permissions, rule.to, (operation, index) =>
    conjunction(permissions, operationFields(operation, context), strictness, (reason) =>
      warn(`to[${index}].operation`, reason),
    ),
  );
  const conditions = rule.when.map((condition) => translateCondition(condition, context));
  const warnOfCondition = (reason: string): void => warn("when", reason);
  const who = conjunction(
    principals,
    conditions.map((one) => one.principal),
    strictness,
    warnOfCondition,
  );
  const what = conjunction(
    permissions,
    conditions.map((one) => one.permission),
    strictness,
    warnOfCondition,
  );
  if (from === undefined || to === undefined || who === undefined || what === undefined) return undefined;
  return { principals: [principals.all([from, who])], permissions: [permissions.all([to, what])] };
}

/** Any of the entries that can be enforced; everything when there are none, undefined when none is left. */
function alternatives<S, T>(
  algebra: BooleanAlgebra<T>,
  entries: readonly S[],
  translate: (entry: S, index: number) => T | undefined,
): T | undefined {
  if (entries.length === 0) return algebra.always;
  const kept = entries.map(translate).filter((one) => one !== undefined);
  return kept.length === 0 ? undefined : algebra.any(kept);
}

function sourceFields(
  source: AuthorizationSource,
  { trustDomains, policyNamespace, http }: RuleContext,
): readonly (Field<Principal> | undefined)[] {
  const one = (
    values: readonly string[],
    notValues: readonly string[],
    each: (value: string) => Principal,
  ): Field<Principal> | undefined => field(principals, values, notValues, each);
  return [
    one(source.principals, source.notPrincipals, (value) => principal.principalNamed(value, trustDomains)),
    one(source.namespaces, source.notNamespaces, (value) =>
      principal.principalInNamespace(value, trustDomains),
    ),
    one(source.serviceAccounts, source.notServiceAccounts, (value) =>
      principal.principalWithAccount(value, policyNamespace, trustDomains),
    ),
    one(source.trustDomains, source.notTrustDomains, (value) =>
      principal.principalOfTrustDomain(value, trustDomains),
    ),
    one(source.ipBlocks, source.notIpBlocks, principal.directAddress),
    one(source.remoteIpBlocks, source.notRemoteIpBlocks, principal.originalAddress),
    http
      ? one(source.requestPrincipals, source.notRequestPrincipals, principal.requestPrincipal)
      : unenforceable(
          `requestPrincipals ${NEEDS_HTTP}`,
          source.requestPrincipals,
          source.notRequestPrincipals,
        ),
  ];
}

function operationFields(
  operation: AuthorizationOperation,
  { port, http }: RuleContext,
): readonly (Field<Permission> | undefined)[] {
  const onHttp = (
    name: string,
    values: readonly string[],
    notValues: readonly string[],
    each: (value: string) => Permission,
  ): Field<Permission> | undefined =>
    http
      ? field(permissions, values, notValues, each)
      : unenforceable(`${name} ${NEEDS_HTTP}`, values, notValues);
  return [
    onHttp("hosts", operation.hosts, operation.notHosts, permission.host),
    onHttp("methods", operation.methods, operation.notMethods, permission.method),
    onHttp("paths", operation.paths, operation.notPaths, permission.path),
    field(permissions, operation.ports, operation.notPorts, (value) => permission.port(value, port)),
  ];
}

/** A `when` entry speaks of who asks or of what is asked for. */
interface Condition {
  readonly principal?: Field<Principal> | undefined;
  readonly permission?: Field<Permission> | undefined;
}

function translateCondition(
  { key, values, notValues }: AuthorizationCondition,
  { trustDomains, policyNamespace, port, http }: RuleContext,
): Condition {
  const who = (each: (value: string) => Principal): Condition => ({
    principal: field(principals, values, notValues, each),
  });
  const what = (each: (value: string) => Permission): Condition => ({
    permission: field(permissions, values, notValues, each),
  });
  switch (key) {
    case "source.ip":
      return who(principal.directAddress);
    case "remote.ip":
      return who(principal.originalAddress);
    case "source.namespace":
      return who((value) => principal.principalInNamespace(value, trustDomains));
    case "source.principal":
      return who((value) => principal.principalNamed(value, trustDomains));
    case "source.serviceAccount":
      return who((value) => principal.principalWithAccount(value, policyNamespace, trustDomains));
    case "source.trustDomain":
      return who((value) => principal.principalOfTrustDomain(value, trustDomains));
    case "destination.ip":
      return what(permission.destinationAddress);
    case "destination.port":
      return what((value) => permission.port(value, port));
    case "connection.sni":
      return what(permission.serverName);
    default:
      break;
  }
  const name = inBrackets("request.headers", key)?.[0]?.toLowerCase();
  const claimOf = CLAIM_OF_KEY[key] ?? inBrackets("request.auth.claims", key);
  if (name !== undefined || claimOf !== undefined || key === "request.auth.principal") {
    if (!http) return { permission: { kind: "unenforceable", reason: `condition ${key} ${NEEDS_HTTP}` } };
    if (name !== undefined) return what((value) => permission.header(name, value, false));
    return who((value) => (claimOf ? principal.claim(claimOf, value) : principal.requestPrincipal(value)));
  }
  const [, filter = "", part = ""] = /^experimental\.(envoy\.filters\.[^[]+)\[(.+)\]$/.exec(key) ?? [];
  return what((value) => permission.filterMetadata(filter, part, value));
}

const CLAIM_OF_KEY: Readonly<Record<string, readonly string[]>> = {
  "request.auth.audiences": ["aud"],
  "request.auth.presenter": ["azp"],
};

/** `a[b][c]` is `["b", "c"]` for the start `a`. */
function inBrackets(start: string, key: string): readonly string[] | undefined {
  if (!key.startsWith(`${start}[`) || !key.endsWith("]")) return undefined;
  return key.slice(start.length + 1, -1).split("][");
}
