import type { Answer, Ask, PolicyCase, Row } from "./case.ts";

function operation(fields: string, action: "ALLOW" | "DENY"): string {
  return `action: ${action}, rules: [{ to: [{ operation: { ${fields} } }] }]`;
}

/** What an ALLOW of such an operation lets pass; a DENY of it has the other answers. */
function both(fields: string, passing: readonly Ask[], refused: readonly Ask[]): readonly PolicyCase[] {
  const rows = (yes: Answer, no: Answer): readonly Row[] => [
    ...passing.map((ask): Row => [ask, yes]),
    ...refused.map((ask): Row => [ask, no]),
  ];
  return [
    { name: `ALLOW { ${fields} }`, authorization: [operation(fields, "ALLOW")], rows: rows(200, 403) },
    { name: `DENY { ${fields} }`, authorization: [operation(fields, "DENY")], rows: rows(403, 200) },
  ];
}

const paths = (...all: readonly string[]): readonly Ask[] => all.map((path) => ({ path }));
const methods = (...all: readonly string[]): readonly Ask[] => all.map((method) => ({ method }));
const hosts = (...all: readonly string[]): readonly Ask[] => all.map((host) => ({ host }));

/** Every field of an operation. */
export const OPERATION_CASES: readonly PolicyCase[] = [
  ...both("methods: [GET]", methods("GET"), methods("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")),
  ...both('methods: ["P*"]', methods("POST", "PUT", "PATCH", "PROPFIND"), methods("GET")),
  ...both('methods: ["*T"]', methods("GET", "PUT", "POST"), methods("DELETE")),
  ...both("notMethods: [GET]", methods("POST", "HEAD"), methods("GET")),
  ...both("paths: [/a]", paths("/a", "/a?b=c", "/a?/b"), paths("/", "/b", "/a/", "/a/b", "/A", "/b?/a")),
  ...both('paths: ["/a/*"]', paths("/a/", "/a/b", "/a/b/c?d"), paths("/a", "/ab", "/b/a/", "/?/a/")),
  ...both('paths: ["/a*"]', paths("/a", "/a/b", "/ab"), paths("/b", "/A")),
  ...both('paths: ["*.html"]', paths("/a.html", "/a/b.html?x=.txt"), paths("/a.txt?x=.html", "/a.html/")),
  ...both('paths: ["*"]', paths("/", "/a", "/a?b"), []),
  ...both("notPaths: [/a]", paths("/b", "/a/"), paths("/a", "/a?x=y")),
  ...both(
    'paths: ["/v1/{*}/x"]',
    paths("/v1/a/x", "/v1/a.b-c_d/x"),
    paths("/v1/x", "/v1/a/b/x", "/v1/a/xx", "/v1/a/y"),
  ),
  ...both('paths: ["/v1/{**}"]', paths("/v1/", "/v1/a", "/v1/a/b/c"), paths("/v1", "/v2/a", "/v1a")),
  ...both('paths: ["/{*}/b/{**}"]', paths("/a/b/c", "/x/b/c/d"), paths("/a/c/b", "/b/c", "/a/x/b/c")),
  ...both(
    "hosts: [shop.example]",
    hosts("shop.example", "SHOP.example", "Shop.Example"),
    hosts("shop.example.", "shop.example:80", "ashop.example", "server", "shop.example.org"),
  ),
  ...both('hosts: ["shop.example", "shop.example:*"]', hosts("shop.example", "shop.example:80"), hosts("x")),
  ...both(
    'hosts: ["*.example"]',
    hosts("a.example", "A.EXAMPLE", "a.b.example"),
    hosts("example", "a.example:1"),
  ),
  ...both(
    "notHosts: [shop.example]",
    hosts("other", "shop.example:80"),
    hosts("shop.example", "SHOP.EXAMPLE"),
  ),
  ...both('ports: ["APP"]', [{}], []),
  ...both('ports: ["1"]', [], [{}]),
  ...both('notPorts: ["APP"]', [], [{}]),
  ...both(
    "methods: [GET], paths: [/a], hosts: [shop.example]",
    [{ path: "/a", host: "shop.example" }],
    [
      { path: "/a", host: "other" },
      { path: "/b", host: "shop.example" },
      { method: "PUT", path: "/a", host: "shop.example" },
    ],
  ),
  {
    name: "operations are alternatives, and so are rules",
    authorization: [
      "action: ALLOW, rules: [{ to: [{ operation: { paths: [/a] } }, { operation: { paths: [/b] } }] }, { to: [{ operation: { methods: [PUT] } }] }]",
    ],
    rows: [
      [{ path: "/a" }, 200],
      [{ path: "/b" }, 200],
      [{ path: "/c" }, 403],
      [{ path: "/c", method: "PUT" }, 200],
    ],
  },
  {
    name: "methods are case-sensitive",
    authorization: [operation("methods: [GET]", "DENY")],
    rows: [[{ method: "GET" }, 403]],
  },
];

const header = (name: string, ...values: readonly string[]): Ask => ({
  headers: values.map((value) => [name, value] as const),
});

function when(condition: string, action: "ALLOW" | "DENY"): string {
  return `action: ${action}, rules: [{ when: [{ ${condition} }] }]`;
}

function given(condition: string, passing: readonly Ask[], refused: readonly Ask[]): readonly PolicyCase[] {
  return (["ALLOW", "DENY"] as const).map((action) => {
    const [yes, no] = action === "ALLOW" ? ([200, 403] as const) : ([403, 200] as const);
    return {
      name: `${action} when { ${condition} }`,
      authorization: [when(condition, action)],
      rows: [...passing.map((ask): Row => [ask, yes]), ...refused.map((ask): Row => [ask, no])],
    };
  });
}

const admin = 'key: "request.headers[x-role]", values: [admin]';

/** Every key of a condition that needs no token. */
export const CONDITION_CASES: readonly PolicyCase[] = [
  ...given(
    admin,
    [
      header("x-role", "admin"),
      header("X-Role", "admin"),
      header("x-role", " admin "),
      header("x-role", "user", "admin"),
      header("x-role", "admin", "user"),
      header("x-role", "", "admin"),
    ],
    [
      {},
      header("x-role", ""),
      header("x-role", "Admin"),
      header("x-role", "admin,user"),
      header("x-role", "user,admin"),
      header("x-role", "admin2"),
      header("x_role", "admin"),
      header("x-roles", "admin"),
    ],
  ),
  ...given(
    'key: "request.headers[x-role]", notValues: [admin]',
    [{}, header("x-role", "user"), header("x-role", "admin,user")],
    [header("x-role", "admin"), header("x-role", "user", "admin"), header("x-role", "admin", "user")],
  ),
  ...given(
    'key: "request.headers[x-role]", values: ["ad*"]',
    [header("x-role", "admin"), header("x-role", "user", "adm"), header("x-role", "admin,user")],
    [{}, header("x-role", "user"), header("x-role", "user,admin"), header("x-role", "AD")],
  ),
  ...given(
    'key: "request.headers[x-role]", values: ["*in"]',
    [header("x-role", "admin"), header("x-role", "user,admin")],
    [{}, header("x-role", "admin,user")],
  ),
  ...given(
    'key: "request.headers[x-role]", values: ["*"]',
    [header("x-role", "a"), header("x-role", "")],
    [{}, header("x-other", "a")],
  ),
  ...given(
    "key: source.ip, values: [127.0.0.5]",
    [{ from: "127.0.0.5" }],
    [{}, { headers: [["x-forwarded-for", "127.0.0.5"]] }],
  ),
  ...given('key: remote.ip, values: ["10.0.0.0/8"]', [header("x-forwarded-for", "10.0.0.1")], [{}]),
  ...given("key: source.namespace, values: [default]", [{ as: "default/a" }], [{}, { as: "other/a" }]),
  ...given("key: source.namespace, notValues: [default]", [{}, { as: "other/a" }], [{ as: "default/a" }]),
  ...given(
    "key: source.principal, values: [cluster.local/ns/default/sa/a]",
    [{ as: "default/a" }],
    [{}, { as: "default/b" }],
  ),
  ...given("key: source.serviceAccount, values: [a]", [{ as: "default/a" }], [{}, { as: "other/a" }]),
  ...given("key: source.trustDomain, values: [cluster.local]", [{ as: "default/a" }], [{}]),
  ...given('key: source.trustDomain, values: ["clu*"]', [{ as: "default/a" }], [{}]),
  ...given("key: source.trustDomain, values: [elsewhere]", [], [{ as: "default/a" }, {}]),
  ...given('key: destination.ip, values: ["127.0.0.0/8"]', [{}, { as: "default/a" }], []),
  ...given('key: destination.ip, values: ["10.0.0.0/8"]', [], [{}]),
  ...given('key: destination.port, values: ["APP"]', [{}], []),
  ...given(
    "key: connection.sni, values: [shop.example]",
    [{ as: "default/a", sni: "shop.example" }],
    [{}, { as: "default/a" }, { as: "default/a", sni: "other.example" }],
  ),
  ...given(
    'key: connection.sni, values: ["*.example"]',
    [{ as: "default/a", sni: "shop.example" }],
    [{ as: "default/a", sni: "shop.example.org" }],
  ),
  {
    name: "what a caller says is for this connection only is gone, for policies and for the application",
    authorization: [when(admin, "DENY")],
    rows: [
      [
        {
          headers: [
            ["connection", "x-role"],
            ["x-role", "admin"],
          ],
        },
        200,
      ],
    ],
  },
  {
    name: "conditions are all asked for",
    authorization: [
      'action: ALLOW, rules: [{ when: [{ key: "request.headers[x-role]", values: [admin] }, { key: source.namespace, values: [default] }] }]',
    ],
    rows: [
      [{ as: "default/a", ...header("x-role", "admin") }, 200],
      [{ as: "default/a" }, 403],
      [header("x-role", "admin"), 403],
    ],
  },
  {
    name: "what no filter has left behind matches nothing",
    authorization: [
      'action: DENY, rules: [{ when: [{ key: "experimental.envoy.filters.x[y]", values: ["*"] }] }]',
    ],
    rows: [[{}, 200]],
  },
];
