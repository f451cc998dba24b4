import type { JwtProvider, JwtRequirement, Permission } from "./entry-schemas.ts";
import type { RequestPart } from "./request-part.ts";

/** What a permission asks of a call; or why a policy cannot say it, with the field. */
export type PermissionParts =
  | { readonly parts: readonly RequestPart[] }
  | { readonly field: string; readonly problem: string };

type Http = NonNullable<Permission["HTTP"]>;
type Header = Http["Header"][number];

/** Letters that mean something in a policy's value. */
const SPECIAL = /[*{}]/;

const KNOWN = {
  permission: new Set(["Action", "HTTP", "JWT"]),
  HTTP: new Set(["PathExact", "PathPrefix", "PathRegex", "Methods", "Header"]),
  header: new Set([
    "Name",
    "Present",
    "Exact",
    "Prefix",
    "Suffix",
    "Contains",
    "Regex",
    "Invert",
    "IgnoreCase",
  ]),
};

export function permissionParts(
  permission: Permission,
  providers: ReadonlyMap<string, JwtProvider>,
): PermissionParts {
  const { HTTP: http, JWT: jwt } = permission;
  const stranger = strangeField(permission);
  if (stranger !== undefined) return { field: stranger, problem: "is a condition that is not known here" };
  const asked = [
    ...(http === undefined ? [] : [pathParts(http), methodParts(http), ...http.Header.map(headerParts)]),
    jwtParts(jwt, providers),
  ];
  const parts: RequestPart[] = [];
  for (const each of asked) {
    if ("problem" in each) return each;
    parts.push(...each.parts);
  }
  return { parts };
}

function strangeField({ HTTP: http, ...permission }: Permission): string | undefined {
  const beyond = (fields: object, known: ReadonlySet<string>, path: string): readonly string[] =>
    Object.keys(fields)
      .filter((field) => !known.has(field))
      .map((field) => `${path}${field}`);
  return [
    ...beyond(permission, KNOWN.permission, ""),
    ...beyond(http ?? {}, KNOWN.HTTP, "HTTP."),
    ...(http?.Header.flatMap((header) => beyond(header, KNOWN.header, "HTTP.Header[].")) ?? []),
  ].at(0);
}

/** A token of the one provider, with all the claims. */
export function jwtParts(jwt: JwtRequirement, providers: ReadonlyMap<string, JwtProvider>): PermissionParts {
  const field = "JWT.Providers";
  const [first, ...others] = jwt?.Providers ?? [];
  if (first === undefined) return { parts: [] };
  if (others.length > 0) return { field, problem: "asks for one of several providers" };
  const issuer = providers.get(first.Name)?.Issuer;
  if (issuer === undefined) return { field, problem: `the jwt-provider ${first.Name} is not there` };
  const claims = first.VerifyClaims.map(
    ({ Path, Value }): RequestPart => ({
      field: "when",
      key: `request.auth.claims${Path.map((step) => `[${step}]`).join("")}`,
      values: [Value],
      not: false,
    }),
  );
  const unsayable = first.VerifyClaims.some(({ Path, Value }) => SPECIAL.test(Value) || Path.length === 0);
  if (unsayable) return { field: `${field}[].VerifyClaims`, problem: "a claim's value has a `*`" };
  return { parts: [{ field: "requestPrincipals", values: [`${issuer}/*`], not: false }, ...claims] };
}

function pathParts({ PathExact, PathPrefix, PathRegex }: Http): PermissionParts {
  for (const [field, path] of Object.entries({ PathExact, PathPrefix })) {
    if (path !== undefined && SPECIAL.test(path))
      return { field: `HTTP.${field}`, problem: `${path} has letters that a policy takes for a pattern` };
  }
  if (PathExact !== undefined) return path(PathExact);
  if (PathPrefix !== undefined) return path(`${PathPrefix}*`);
  if (PathRegex === undefined) return { parts: [] };
  const simple = simplePattern(PathRegex);
  if (simple !== undefined) return path(simple);
  return { field: "HTTP.PathRegex", problem: `the regular expression ${PathRegex} is no prefix or suffix` };
}

/** `/api/.*`, `.*\.png` and plain texts are the regular expressions that a policy can say. */
function simplePattern(regex: string): string | undefined {
  const [, before = "", literal = "", after = ""] =
    /^\^?(\.\*)?((?:[\w/~-]|\\[./-])+)(\.\*)?\$?$/.exec(regex) ?? [];
  if (literal === "" || (before !== "" && after !== "")) return undefined;
  const text = literal.replaceAll("\\", "");
  return before === "" ? `${text}${after === "" ? "" : "*"}` : `*${text}`;
}

function path(value: string): PermissionParts {
  return { parts: [{ field: "paths", values: [value], not: false }] };
}

function methodParts({ Methods }: Http): PermissionParts {
  return { parts: Methods.length === 0 ? [] : [{ field: "methods", values: Methods, not: false }] };
}

function headerParts(header: Header): PermissionParts {
  const field = "HTTP.Header";
  if (header.IgnoreCase) return { field: `${field}[].IgnoreCase`, problem: "policies mind the case" };
  if (header.Contains !== undefined)
    return { field: `${field}[].Contains`, problem: "a policy knows prefixes and suffixes alone" };
  const value = headerValue(header);
  if (value === undefined)
    return { field: `${field}[]`, problem: `what it asks of ${header.Name} is no value, prefix or suffix` };
  const key = `request.headers[${header.Name}]`;
  return { parts: [{ field: "when", key, values: [value], not: header.Invert }] };
}

function headerValue({ Present, Exact, Prefix, Suffix, Regex }: Header): string | undefined {
  const literal = Exact ?? Prefix ?? Suffix ?? "";
  if (literal.includes("*")) return undefined;
  if (Exact !== undefined) return Exact;
  if (Prefix !== undefined) return `${Prefix}*`;
  if (Suffix !== undefined) return `*${Suffix}`;
  if (Regex !== undefined) return simplePattern(Regex);
  return Present ? "*" : undefined;
}
