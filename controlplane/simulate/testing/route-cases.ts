import type { Call } from "../call.ts";
import { type Json, named } from "./json-config.ts";

/** Routes of many kinds, each of which answers with its name, and the calls to try them with. */

const exact = (value: string, over: Json = {}): Json => ({ exact: value, ...over });
const header = (name: string, rest: Json): Json => ({ name, ...rest });

/** A route of the host `headers.test`, reached by its own path, so that its header test alone decides. */
function headerRoute(name: string, ...headers: readonly Json[]): Json {
  return named(`header-${name}`, { path: `/${name}`, headers });
}

function queryRoute(name: string, ...queryParameters: readonly Json[]): Json {
  return named(`query-${name}`, { path: `/${name}`, queryParameters });
}

const pathRoutes: readonly Json[] = [
  named("exact", { path: "/exact" }),
  named("exact-any-case", { path: "/Folded", caseSensitive: false }),
  named("prefix", { prefix: "/prefix" }),
  named("prefix-any-case", { prefix: "/PreFolded", caseSensitive: false }),
  named("separated", { pathSeparatedPrefix: "/separated" }),
  named("separated-any-case", { pathSeparatedPrefix: "/SepFolded", caseSensitive: false }),
  named("regex", { safeRegex: { regex: "/item/[0-9]+(/.*)?" } }),
  named("regex-any-case", { safeRegex: { regex: "(?i)/rx" } }),
  named("never", { prefix: "/never", runtimeFraction: { defaultValue: { numerator: 0 } } }),
  named("always", { prefix: "/always", runtimeFraction: { defaultValue: { numerator: 100 } } }),
  named("grpc", { prefix: "/pkg.Service/", grpc: {} }),
  named("not-grpc", { prefix: "/pkg.Service/" }),
  named("post", { prefix: "/form", headers: [header(":method", { stringMatch: exact("POST") })] }),
  named("get", { prefix: "/form", headers: [header(":method", { stringMatch: exact("GET") })] }),
  named("dots", { path: "/a/c" }),
  named("slashes", { path: "/x/y" }),
  named("escaped-slash", { path: "/esc%2Fslash" }),
  named("unescaped-slash", { path: "/esc/slash" }),
  named("letters", { path: "/ABC" }),
];

const headerRoutes: readonly Json[] = [
  headerRoute("exact", header("x-a", { stringMatch: exact("one") })),
  headerRoute("exact-any-case", header("x-a", { stringMatch: exact("One", { ignoreCase: true }) })),
  headerRoute("prefix", header("x-a", { stringMatch: { prefix: "on" } })),
  headerRoute("suffix", header("x-a", { stringMatch: { suffix: "ne" } })),
  headerRoute("contains", header("x-a", { stringMatch: { contains: "n" } })),
  headerRoute("regex", header("x-a", { stringMatch: { safeRegex: { regex: "o.e" } } })),
  headerRoute("range", header("x-a", { rangeMatch: { start: "1", end: "10" } })),
  headerRoute("present", header("x-a", { presentMatch: true })),
  headerRoute("absent", header("x-a", { presentMatch: false })),
  headerRoute("not-present", header("x-a", { presentMatch: true, invertMatch: true })),
  headerRoute("not-exact", header("x-a", { stringMatch: exact("one"), invertMatch: true })),
  headerRoute(
    "not-exact-or-missing",
    header("x-a", { stringMatch: exact("one"), invertMatch: true, treatMissingHeaderAsEmpty: true }),
  ),
  headerRoute("empty", header("x-a", { stringMatch: exact(""), treatMissingHeaderAsEmpty: true })),
  headerRoute("present-or-missing", header("x-a", { presentMatch: true, treatMissingHeaderAsEmpty: true })),
  headerRoute("absent-or-missing", header("x-a", { presentMatch: false, treatMissingHeaderAsEmpty: true })),
  headerRoute("two", header("x-a", { stringMatch: exact("one") }), header("x-b", { presentMatch: true })),
  headerRoute("joined", header("x-a", { stringMatch: exact("one,two") })),
  headerRoute("authority", header(":authority", { stringMatch: exact("headers.test") })),
  headerRoute("host", header("host", { stringMatch: exact("headers.test") })),
  headerRoute("scheme", header(":scheme", { stringMatch: exact("https") })),
  headerRoute("forwarded", header("x-forwarded-proto", { stringMatch: exact("http") })),
  headerRoute("id", header("x-request-id", { presentMatch: true })),
  headerRoute("path", header(":path", { stringMatch: { suffix: "?q=1" } })),
  headerRoute("says-nothing", header("x-a", {})),
];

const queryRoutes: readonly Json[] = [
  queryRoute("exact", { name: "a", stringMatch: exact("1") }),
  queryRoute("any-case", { name: "a", stringMatch: exact("Yes", { ignoreCase: true }) }),
  queryRoute("regex", { name: "a", stringMatch: { safeRegex: { regex: "[0-9]+" } } }),
  queryRoute("present", { name: "a", presentMatch: true }),
  queryRoute("absent", { name: "a", presentMatch: false }),
  queryRoute("nothing", { name: "a" }),
];

export const VIRTUAL_HOSTS: readonly Json[] = [
  { name: "paths", domains: ["paths.test"], routes: pathRoutes },
  { name: "headers", domains: ["headers.test"], routes: headerRoutes },
  { name: "queries", domains: ["queries.test"], routes: queryRoutes },
  {
    name: "exact-host",
    domains: ["www.foo.test", "foo.test:8080"],
    routes: [named("exact-host", { prefix: "/" })],
  },
  { name: "long-suffix", domains: ["*-x.foo.test"], routes: [named("long-suffix", { prefix: "/" })] },
  { name: "suffix", domains: ["*.foo.test"], routes: [named("suffix", { prefix: "/" })] },
  { name: "prefix-host", domains: ["www.*"], routes: [named("prefix-host", { prefix: "/" })] },
  { name: "long-prefix", domains: ["www.bar.*"], routes: [named("long-prefix", { prefix: "/" })] },
  {
    name: "tls-only",
    domains: ["secure.test"],
    requireTls: "ALL",
    routes: [named("secure", { prefix: "/" })],
  },
  { name: "upper", domains: ["UPPER.test"], routes: [named("upper", { prefix: "/" })] },
];

type Request = Partial<Pick<Call, "method" | "host" | "path" | "headers">>;

function at(host: string, paths: readonly string[], headers: Call["headers"] = []): readonly Request[] {
  return paths.map((path) => ({ host, path, headers }));
}

const grpc = [["content-type", "application/grpc"]] as const;

export const ROUTE_CALLS: readonly Request[] = [
  ...at("paths.test", [
    "/exact",
    "/exact?q=1",
    "/exact/",
    "/EXACT",
    "/folded",
    "/FOLDED?x",
    "/prefix",
    "/prefixed/on",
  ]),
  ...at("paths.test", [
    "/Prefix",
    "/prefolded/x",
    "/separated",
    "/separated/x?y",
    "/separatedx",
    "/separated?x",
  ]),
  ...at("paths.test", [
    "/sepfolded/a",
    "/item/7",
    "/item/7/part",
    "/item/x",
    "/item/7part",
    "/RX",
    "/rx/y",
    "/rx?a=b",
  ]),
  ...at("paths.test", [
    "/never",
    "/always",
    "/pkg.Service/Get",
    "/form",
    "/",
    "/a/b/../c",
    "/a/./c",
    "/x//y",
  ]),
  ...at("paths.test", [
    "/esc%2Fslash",
    "/esc%2fslash",
    "/%41BC",
    "/x\\y",
    "/a/b/..",
    "/exact%20",
    "/%2e/exact",
    "/a/%2e%2e/exact",
  ]),
  ...at("paths.test", ["/pkg.Service/Get"], grpc),
  ...at("paths.test", ["/pkg.Service/Get"], [["content-type", "application/grpc+proto"]]),
  ...at("paths.test", ["/pkg.Service/Get"], [["content-type", "application/grpc-web"]]),
  { method: "POST", host: "paths.test", path: "/form" },
  { method: "PUT", host: "paths.test", path: "/form" },
  ...headerRoutes.flatMap((route): readonly Request[] => {
    const path = String((route["match"] as Json)["path"]);
    return [
      ...at("headers.test", [path, `${path}?q=1`]),
      ...["one", "ONE", "two", "7", "10", " 7 ", ""].flatMap((value) =>
        at("headers.test", [path], [["x-a", value]]),
      ),
      ...at(
        "headers.test",
        [path],
        [
          ["X-A", "one"],
          ["x-b", ""],
        ],
      ),
      ...at(
        "headers.test",
        [path],
        [
          ["x-a", "one"],
          ["x-a", "two"],
        ],
      ),
      ...at("headers.test", [path], [["x-forwarded-proto", "https"]]),
    ];
  }),
  ...queryRoutes.flatMap((route): readonly Request[] => {
    const path = String((route["match"] as Json)["path"]);
    return at(
      "queries.test",
      ["", "?a", "?a=", "?a=1", "?a=1&a=2", "?b=1&a=22", "?a=YES", "?A=1", "?a=%31", "?ab=1"].map(
        (query) => path + query,
      ),
    );
  }),
  ...[
    "www.foo.test",
    "WWW.FOO.test",
    "a-x.foo.test",
    "b.foo.test",
    "a.b.foo.test",
    "foo.test",
    ".foo.test",
    "-x.foo.test",
  ].flatMap((host) => at(host, ["/"])),
  ...[
    "www.foo.test:80",
    "foo.test:8080",
    "foo.test:81",
    "b.foo.test:80",
    "www.bar.x",
    "www.bar.",
    "www.zoo",
    "www.",
    "other.test",
  ].flatMap((host) => at(host, ["/"])),
  ...["secure.test", "secure.test:8443", "upper.test", "[::1]:80", "[::1]"].flatMap((host) =>
    at(host, ["/p?q=1"]),
  ),
  ...at("secure.test", ["/p"], [["x-forwarded-proto", "https"]]),
];
