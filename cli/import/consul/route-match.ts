import { RE2JS } from "re2js";
import type { RouteMatch } from "./entry-schemas.ts";
import { said } from "./manifest.ts";

/** HTTPMatchRequest; or why there is none that says the same, with the field. */
export type MatchOfRoute =
  | { readonly match: Record<string, unknown> | undefined }
  | { readonly field: string; readonly problem: string };

type Header = RouteMatch["Header"][number];

export function routeMatch(written: RouteMatch | undefined): MatchOfRoute {
  if (written === undefined) return { match: undefined };
  const { Header, QueryParam, Methods } = written;
  for (const [field, list] of Object.entries({ Header, QueryParam })) {
    const names = list.map(({ Name, ...more }) => `${Name} ${"Invert" in more && more.Invert}`.toLowerCase());
    if (new Set(names).size < names.length)
      return { field: `${field}[].Name`, problem: "asks twice for one name, which a match has once" };
  }
  const match = said({
    uri: uriMatch(written),
    ignoreUriCase: written.CaseInsensitive || undefined,
    method: methodMatch(Methods),
    headers: headerMatches(Header.filter(({ Invert }) => !Invert)),
    withoutHeaders: headerMatches(Header.filter(({ Invert }) => Invert)),
    queryParams:
      QueryParam.length === 0
        ? undefined
        : Object.fromEntries(
            QueryParam.map(({ Name, Exact, Regex }) => [Name, said({ exact: Exact, regex: Regex })]),
          ),
  });
  return { match: Object.keys(match).length === 0 ? undefined : match };
}

function uriMatch({ PathExact, PathPrefix, PathRegex }: RouteMatch): Record<string, unknown> | undefined {
  const uri = said({ exact: PathExact, prefix: PathPrefix, regex: PathRegex });
  return Object.keys(uri).length === 0 ? undefined : uri;
}

function methodMatch(methods: readonly string[]): Record<string, unknown> | undefined {
  const [only, ...others] = methods;
  if (only === undefined) return undefined;
  return others.length === 0 ? { exact: only } : { regex: methods.join("|") };
}

function headerMatches(headers: readonly Header[]): Record<string, unknown> | undefined {
  if (headers.length === 0) return undefined;
  return Object.fromEntries(
    headers.map(({ Name, Exact, Prefix, Suffix, Regex }) => {
      const regex = Suffix === undefined ? Regex : `.*${RE2JS.quote(Suffix)}`;
      return [Name.toLowerCase(), said({ exact: Exact, prefix: Prefix, regex })];
    }),
  );
}
