import * as z from "zod";
import { conditionKeyProblem, conditionValueProblem, isPortText } from "./authorization-condition.ts";
import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationPolicySpec,
  AuthorizationRule,
  AuthorizationSource,
} from "./authorization-policy.ts";
import { isDnsLabel, isDnsSubdomain } from "./dns-names.ts";
import type { FieldPath } from "./finding.ts";
import { matchLabels } from "./labels.schema.ts";
import { isFields } from "./plain-data.ts";
import { ipRange, optionalText, textThat } from "./scalars.schema.ts";
import { refused, withNotice, withReview, writtenField, writtenList } from "./schema-notice.ts";
import { problemCheck, type Report, rule } from "./schema-rule.ts";

const ELSEWHERE = "would apply the policy to workloads that it is not for";

const values = listOf(textThat(() => true, ""));
const principals = listOf(
  withNotice(
    textThat(() => true, ""),
    (value) => {
      const scheme = typeof value === "string" && value.startsWith("spiffe://");
      return scheme ? "never matches: principals are written without `spiffe://`" : undefined;
    },
  ),
);
const serviceAccounts = listOf(textThat(isServiceAccount, "a service account: `name` or `namespace/name`"));
const ipBlocks = listOf(ipRange);
const ports = listOf(textThat(isPortText, "a port"));
const paths = listOf(textThat(isPathPattern, "a path: braces are for {*} and {**} as whole segments"));

const source: z.ZodType<AuthorizationSource> = z
  .object({
    principals,
    notPrincipals: principals,
    requestPrincipals: values,
    notRequestPrincipals: values,
    namespaces: values,
    notNamespaces: values,
    serviceAccounts,
    notServiceAccounts: serviceAccounts,
    ipBlocks,
    notIpBlocks: ipBlocks,
    remoteIpBlocks: ipBlocks,
    notRemoteIpBlocks: ipBlocks,
    trustDomains: values,
    notTrustDomains: values,
  })
  .check(
    problemCheck((fields) => (isBlank(fields) ? "must have at least one field" : undefined)),
    problemCheck((fields) => {
      const accounts = fields.serviceAccounts.length + fields.notServiceAccounts.length > 0;
      const others =
        fields.principals.length +
        fields.notPrincipals.length +
        fields.namespaces.length +
        fields.notNamespaces.length;
      return accounts && others > 0
        ? "must not have serviceAccounts beside principals or namespaces"
        : undefined;
    }),
  );

const operation: z.ZodType<AuthorizationOperation> = z
  .object({
    hosts: values,
    notHosts: values,
    ports,
    notPorts: ports,
    methods: values,
    notMethods: values,
    paths,
    notPaths: paths,
  })
  .check(problemCheck((fields) => (isBlank(fields) ? "must have at least one field" : undefined)));

const condition: z.ZodType<AuthorizationCondition> = z
  .object({
    key: z.string().check(problemCheck(conditionKeyProblem)),
    values: z.array(z.string()).default([]),
    notValues: z.array(z.string()).default([]),
  })
  .check(
    rule(["values", "notValues"], ({ values, notValues }, report) => {
      if (values.length + notValues.length === 0) report([], "must have values or notValues");
    }),
    rule(["key", "values", "notValues"], (condition, report) => {
      for (const field of ["values", "notValues"] as const) {
        for (const [index, value] of condition[field].entries()) {
          const problem = conditionValueProblem(condition.key, value);
          if (problem !== undefined) report([field, index], problem);
        }
      }
    }),
  );

const authorizationRule: z.ZodType<AuthorizationRule> = z
  .object({
    from: listOf(z.object({ source }).transform((from) => from.source)),
    to: listOf(z.object({ operation }).transform((to) => to.operation)),
    when: z.array(condition).default([]),
  })
  .transform(({ from, to, when }) => ({ from, to, when }));

const fields = z
  .object({
    selector: matchLabels.default({}),
    targetRef: refused(ELSEWHERE),
    targetRefs: refused(ELSEWHERE),
    action: z.enum(["ALLOW", "DENY", "AUDIT", "CUSTOM"]).default("ALLOW"),
    provider: z.object({ name: optionalText }).optional(),
    rules: z.array(authorizationRule).max(512).default([]),
  })
  .check(
    rule(["action", "provider"], ({ action, provider }, report) => {
      if (action === "CUSTOM" && (provider === undefined || provider.name === ""))
        report(["provider", "name"], "is required with action CUSTOM");
      if (action !== "CUSTOM" && provider !== undefined)
        report(["provider"], `must not be set with action ${action}: only CUSTOM asks a provider`);
    }),
    rule(["action", "rules"], ({ action, rules }, report) => {
      if ((action === "DENY" || action === "CUSTOM") && rules.length === 0)
        report(["rules"], `is required with action ${action} (an empty rule, {}, matches every request)`);
    }),
    rule(["action", "rules"], ({ action, rules }, report) => {
      if (action === "CUSTOM")
        for (const [index, one] of rules.entries()) refuseIdentities(one, ["rules", index], report);
    }),
  );

/** AuthorizationPolicy's spec, by Istio's rules. */
export const authorizationPolicySpec: z.ZodType<AuthorizationPolicySpec> = withReview(
  fields,
  reviewDeny,
).transform(({ selector, action, provider, rules }) => ({
  selector,
  action,
  provider: provider?.name ?? "",
  rules,
}));

/** A list that has entries where it is written at all: an empty one reads like "nothing" and means "everything". */
function listOf<T>(item: z.ZodType<T>): z.ZodDefault<z.ZodType<T[]>> {
  const list: z.ZodType<T[]> = z.array(item).min(1);
  return list.default([]);
}

const IDENTITY_FIELDS = [
  "principals",
  "notPrincipals",
  "requestPrincipals",
  "notRequestPrincipals",
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "trustDomains",
  "notTrustDomains",
] as const;
const IDENTITY_KEY = /^(source\.(namespace|principal|serviceAccount|trustDomain)$|request\.auth\.)/;

/** A provider is asked before anybody knows who calls. */
function refuseIdentities({ from, when }: AuthorizationRule, path: FieldPath, report: Report): void {
  const message =
    "must not be set with action CUSTOM: the provider is asked before the caller's identity is known";
  for (const [index, source] of from.entries()) {
    for (const field of IDENTITY_FIELDS)
      if (source[field].length > 0) report([...path, "from", index, "source", field], message);
  }
  for (const [index, { key }] of when.entries())
    if (IDENTITY_KEY.test(key)) report([...path, "when", index, "key"], message);
}

const LAYER_4_SOURCE =
  /^(not)?(principals|namespaces|serviceAccounts|trustDomains|ipBlocks|remoteIpBlocks)$/i;
const LAYER_4_OPERATION = /^(not)?ports$/i;

/** A TCP port has no HTTP attributes: a DENY rule of nothing else is taken to match all that it cannot tell apart. */
function reviewDeny(spec: unknown, warn: Report): void {
  if (writtenField(spec, "action") !== "DENY") return;
  for (const [index, written] of writtenList(spec, "rules").entries()) {
    const sources = partsOf(written, "from", "source");
    const operations = partsOf(written, "to", "operation");
    const onlyHttp =
      operations.length > 0
        ? !operations.some((key) => LAYER_4_OPERATION.test(key))
        : sources.length > 0 && !sources.some((key) => LAYER_4_SOURCE.test(key));
    if (onlyHttp)
      warn(
        ["rules", index],
        "has HTTP attributes alone, so it denies all calls of TCP ports: name the ports (to.operation.ports)",
      );
  }
}

/** The fields of all sources or operations of a rule, as it was written. */
function partsOf(written: unknown, list: string, part: string): readonly string[] {
  return writtenList(written, list).flatMap((one) => {
    const fields = writtenField(one, part);
    return isFields(fields) ? Object.keys(fields) : [];
  });
}

function isBlank(fields: Readonly<Record<string, unknown>>): boolean {
  return Object.values(fields).every((field) => !Array.isArray(field) || field.length === 0);
}

function isServiceAccount(text: string): boolean {
  const [first = "", second, ...rest] = text.split("/");
  if (rest.length > 0) return false;
  return second === undefined ? isDnsSubdomain(first) : isDnsLabel(first) && isDnsSubdomain(second);
}

/** Exact, `prefix*`, `*suffix`, `*`, or a template whose segments may be `{*}` and, last of them, `{**}`. */
function isPathPattern(path: string): boolean {
  if (!/[{}]/.test(path)) return true;
  const segments = path.split("/").slice(1);
  const several = segments.indexOf("{**}");
  return (
    path.startsWith("/") &&
    segments.every((segment) => segment === "{*}" || segment === "{**}" || !/[{}*]/.test(segment)) &&
    (several < 0 || !segments.slice(several + 1).some((segment) => segment === "{*}" || segment === "{**}"))
  );
}
