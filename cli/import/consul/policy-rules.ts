import { type Action, type Term } from "./access-terms.ts";
import { said } from "./manifest.ts";
import type { RequestPart } from "./request-part.ts";
import { principalOf, type Source } from "./source.ts";

type Rule = Readonly<Record<string, unknown>>;

/** The rules of an AuthorizationPolicy with `action` that match the calls of these terms. */
export function policyRules(terms: readonly Term[], action: Action): readonly Rule[] {
  const plain = terms.filter(isPlain);
  const principals = plain.map(({ source }) => principalOf(source));
  const together = principals.length === 0 ? [] : [{ from: [{ source: { principals } }] }];
  return [...together, ...terms.filter((term) => !isPlain(term)).map((term) => ruleOf(term, action))];
}

/** A service, whatever its call is like: these share a rule. */
function isPlain(term: Term): term is Term & { readonly source: Extract<Source, { kind: "service" }> } {
  return term.source.kind === "service" && term.parts.length === 0;
}

function ruleOf({ source, except, parts }: Term, action: Action): Rule {
  const from = said({
    ...sourceFields(source, action),
    ...exceptFields(except),
    requestPrincipals: valuesOf(parts, "requestPrincipals", false),
    notRequestPrincipals: valuesOf(parts, "requestPrincipals", true),
  });
  const operation = said({
    methods: valuesOf(parts, "methods", false),
    notMethods: valuesOf(parts, "methods", true),
    paths: valuesOf(parts, "paths", false),
    notPaths: valuesOf(parts, "paths", true),
  });
  const when = parts
    .filter(({ field }) => field === "when")
    .map(({ key, values, not }) => ({ key, [not ? "notValues" : "values"]: values }));
  return said({
    from: isEmpty(from) ? undefined : [{ source: from }],
    to: isEmpty(operation) ? undefined : [{ operation }],
    when: when.length === 0 ? undefined : when,
  });
}

/** Whoever has an identity may be let in; whoever has none is refused with the rest. */
function sourceFields(source: Source, action: Action): Record<string, unknown> {
  if (source.kind === "service") return { principals: [principalOf(source)] };
  if (source.kind === "namespace") return { namespaces: [source.namespace] };
  return action === "allow" ? { principals: ["*"] } : {};
}

function exceptFields(except: readonly Source[]): Record<string, unknown> {
  const principals = except.flatMap((source) => (source.kind === "service" ? [principalOf(source)] : []));
  const namespaces = except.flatMap((source) => (source.kind === "namespace" ? [source.namespace] : []));
  return {
    notPrincipals: principals.length === 0 ? undefined : principals,
    notNamespaces: namespaces.length === 0 ? undefined : namespaces,
  };
}

function valuesOf(
  parts: readonly RequestPart[],
  field: RequestPart["field"],
  not: boolean,
): readonly string[] | undefined {
  const values = parts
    .filter((part) => part.field === field && part.not === not)
    .flatMap((part) => part.values);
  return values.length === 0 ? undefined : values;
}

function isEmpty(fields: Record<string, unknown>): boolean {
  return Object.keys(fields).length === 0;
}
