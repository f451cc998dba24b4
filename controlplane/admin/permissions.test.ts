import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { ObservedCallsReply } from "../../mesh/admin-api/observed-replies.ts";
import type { Problem } from "../../mesh/admin-api/replies.ts";
import { type FakeServer, fakeServer } from "../../test/fakes/admin-deps.ts";
import { MemoryAudit } from "../../test/fakes/memory-audit.ts";
import type { Caller, Grant } from "./access/caller.ts";
import { permits, RESOURCES, ROLES, type Role } from "./access/roles.ts";
import type { AdminRoute } from "./route.ts";
import { ADMIN_ROUTES } from "./routes.ts";
import { openApi } from "./testing/open-api.ts";

/** `read` and `write` as docs/access.md has them, for each role and resource. */
function documentedRoles(): ReadonlyMap<string, string> {
  const page = readFileSync("docs/access.md", "utf8");
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \|(.+)\|$/gm)];
  const cells = new Map<string, string>();
  for (const [, resource = "", line = ""] of rows) {
    for (const [index, cell] of line.split("|").entries())
      cells.set(`${ROLES[index]} ${resource}`, cell.trim());
  }
  return cells;
}

test("docs/access.md has what each role may do, and nothing else", () => {
  const expected = new Map<string, string>();
  for (const resource of RESOURCES) {
    for (const role of ROLES) {
      const verbs = (["read", "write"] as const).filter((verb) => permits(role, verb, resource));
      expected.set(`${role} ${resource}`, verbs.join(", ") || "–");
    }
  }
  assert.deepEqual(documentedRoles(), expected);
});

const as = (grant: Grant): Caller => ({ credential: "access-token", name: "tester", grant });

async function call(
  { method, path }: Pick<AdminRoute, "method" | "path">,
  caller: Caller,
  { server = fakeServer(), body, query = "" }: { server?: FakeServer; body?: string; query?: string } = {},
): Promise<{ readonly status: number; readonly body: unknown }> {
  const api = openApi(server, { door: { admit: async () => caller } });
  const response = await api.inject({
    method,
    url: `${path.replace(":kind", "VirtualService").replaceAll(/:\w+/g, "x")}${query}`,
    ...(body === undefined ? {} : { payload: body, headers: { "content-type": "application/yaml" } }),
  });
  return { status: response.statusCode, body: response.json() };
}

/** Every route × every role: what the table permits gets past the door, everything else is forbidden. */
for (const route of ADMIN_ROUTES) {
  for (const role of ROLES) {
    const allowed = permits(role, route.verb, route.resource);
    test(`${role} ${allowed ? "may" : "may not"} ${route.method} ${route.path}`, async () => {
      const { status, body } = await call(route, as({ role }));
      const { code } = body as Partial<Problem>;
      if (allowed) assert.notEqual(code, "admin.forbidden");
      else assert.deepEqual([status, code], [403, "admin.forbidden"]);
    });
  }
}

test("the first role may everything that there is, the others not", () => {
  const of = (role: Role): number =>
    ADMIN_ROUTES.filter(({ verb, resource }) => permits(role, verb, resource)).length;
  assert.equal(of("admin"), ADMIN_ROUTES.length);
  for (const role of ROLES.slice(1)) assert.ok(of(role) < ADMIN_ROUTES.length && of(role) > 0, role);
});

for (const route of ADMIN_ROUTES.filter(({ reach }) => reach === "mesh")) {
  test(`${route.method} ${route.path} concerns the mesh: a role in some namespaces is not enough`, async () => {
    const { status, body } = await call(route, as({ role: "admin", namespaces: ["shop"] }));
    assert.deepEqual([status, (body as Problem).code], [403, "admin.forbidden"]);
  });
}

const object = (namespace: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: x, namespace: ${namespace} }\nspec: {}\n`;
const files = (namespace: string): string =>
  JSON.stringify({ kind: "Files", files: [{ name: "a.yaml", text: object(namespace) }] });
const instance = (namespace: string): string =>
  JSON.stringify({ service: "web", namespace, address: "10.0.0.1", port: 80 });

const observedOf = (to: string): ObservedCallsReply => ({
  from: null,
  to,
  port: 80,
  protocol: "http",
  method: "GET",
  host: "web",
  path: "/",
  issuer: "",
  precision: "exact",
  denied: false,
  count: 1,
  firstSeen: "2026-01-01T00:00:00Z",
  lastSeen: "2026-01-01T00:00:00Z",
});
const decision = (allowed: boolean) => ({ allowed, status: null, reason: "", decidedBy: null });

/** What there is of both namespaces, to be seen or not. */
function twoNamespaces(): FakeServer {
  const server = fakeServer();
  for (const namespace of ["shop", "other"]) {
    server.instances.set(namespace, { ...JSON.parse(instance(namespace)), id: namespace });
    server.created.push({ binding: { namespace }, ttlMs: 60_000 });
    server.messages = [
      ...server.messages,
      { code: "IST0101", severity: "Error", origin: `VirtualService ${namespace}/x`, message: "odd" },
    ];
    const [workload] = [`${namespace}/web-1`];
    server.proxies.push({
      workload,
      nodeId: "n",
      agent: "a",
      dataPlane: "builtin",
      version: "1",
      connectedAt: "2026-01-01T00:00:00Z",
      types: {} as never,
    });
    server.explanations.set(workload, {
      from: workload,
      to: "x",
      steps: [],
      outcome: { arrives: true, kind: "endpoint", status: null, text: "" },
      notes: [],
    });
    server.callers.set(
      workload,
      ["shop", "other"].map((caller) => ({
        from: `${caller}/web-1`,
        principal: null,
        to: workload,
        port: 80,
        allowed: true,
        status: null,
        reason: "",
        decidedBy: null,
        undecided: [],
        steps: [],
      })),
    );
    server.observed.push(observedOf(workload));
    server.changes.push({ calls: observedOf(workload), before: decision(true), after: decision(false) });
    server.resources.set(`${namespace}/x`, []);
  }
  server.difference = {
    objects: ["shop", "other"].map((namespace) => ({
      kind: "VirtualService",
      namespace,
      name: "x",
      change: "created",
      fields: [],
    })),
    workloads: ["shop", "other"].map((namespace) => ({ workload: `${namespace}/web-1`, resources: [] })),
  };
  server.sync = {
    acked: 0,
    total: 2,
    rejected: ["shop", "other"].map((namespace) => ({
      workload: `${namespace}/web-1`,
      type: "route",
      message: "no",
      causes: [],
    })),
  };
  return server;
}

interface NamespaceCase {
  /** `METHOD path` of the route. */
  readonly route: string;
  /** Of a call that concerns one namespace: it is forbidden, or not found, in another. */
  readonly of?: (namespace: string) => {
    readonly path?: string;
    readonly query?: string;
    readonly body?: string;
  };
  readonly refusal?: number;
  /** The call answers with what the caller may see: never with anything of `other`. */
  readonly sees?: { readonly query?: string; readonly body?: string };
}

/** One for each route that concerns namespaces; a route without a row fails. */
const NAMESPACE_CASES: readonly NamespaceCase[] = [
  { route: "POST /v1/apply", of: (namespace) => ({ body: object(namespace) }) },
  { route: "GET /v1/objects/:kind", sees: {} },
  {
    route: "GET /v1/objects/:kind/:namespace/:name",
    of: (namespace) => ({ path: `/v1/objects/VirtualService/${namespace}/x` }),
  },
  {
    route: "DELETE /v1/objects/:kind/:namespace/:name",
    of: (namespace) => ({ path: `/v1/objects/VirtualService/${namespace}/x` }),
  },
  { route: "GET /v1/sync", sees: { query: "?snapshot=1" } },
  { route: "GET /v1/proxy-status", sees: {} },
  {
    route: "GET /v1/proxies/:namespace/:name/config",
    of: (namespace) => ({ path: `/v1/proxies/${namespace}/x/config` }),
  },
  { route: "GET /v1/analysis", sees: {} },
  {
    route: "POST /v1/analysis",
    of: (namespace) => ({ body: files(namespace) }),
    sees: { body: files("shop") },
  },
  { route: "POST /v1/diff", of: (namespace) => ({ body: files(namespace) }), sees: { body: files("shop") } },
  {
    route: "GET /v1/explain",
    of: (namespace) => ({ query: `?from=${namespace}/web-1&to=http://web:80/` }),
  },
  {
    route: "POST /v1/authz/check",
    of: (namespace) => ({
      body: JSON.stringify({ from: `${namespace}/web-1`, to: `${namespace}/web-1` }),
    }),
  },
  {
    route: "POST /v1/authz/who",
    of: (namespace) => ({ body: JSON.stringify({ to: `${namespace}/web-1` }) }),
    sees: { body: JSON.stringify({ to: "shop/web-1" }) },
  },
  {
    route: "GET /v1/observed-calls",
    of: (namespace) => ({ query: `?to=${namespace}/web-1` }),
    sees: {},
  },
  {
    route: "POST /v1/authz/simulate",
    of: (namespace) => ({ body: files(namespace) }),
    sees: { body: files("shop") },
  },
  { route: "GET /v1/tokens", sees: {} },
  { route: "POST /v1/tokens", of: (namespace) => ({ body: JSON.stringify({ namespace }) }) },
  {
    route: "DELETE /v1/tokens",
    of: (namespace) => ({ query: `?id=${namespace === "shop" ? "t1" : "t2"}` }),
    refusal: 404,
  },
  { route: "GET /v1/services", sees: {} },
  { route: "GET /v1/workloads", sees: {} },
  { route: "GET /v1/registry/embedded/instances", sees: {} },
  {
    route: "GET /v1/registry/embedded/instances/:id",
    of: (namespace) => ({ path: `/v1/registry/embedded/instances/${namespace}` }),
    refusal: 404,
  },
  {
    route: "PUT /v1/registry/embedded/instances/:id",
    of: (namespace) => ({ path: "/v1/registry/embedded/instances/new", body: instance(namespace) }),
  },
  {
    route: "DELETE /v1/registry/embedded/instances/:id",
    of: (namespace) => ({ path: `/v1/registry/embedded/instances/${namespace}` }),
    refusal: 404,
  },
];

test("each route that concerns namespaces has a case below", () => {
  const routes = ADMIN_ROUTES.filter(({ reach }) => reach === "namespace");
  assert.deepEqual(
    NAMESPACE_CASES.map(({ route }) => route).sort(),
    routes.map(({ method, path }) => `${method} ${path}`).sort(),
  );
});

for (const { route, of, refusal = 403, sees } of NAMESPACE_CASES) {
  const [method, path] = route.split(" ") as [AdminRoute["method"], string];
  const caller = as({ role: "admin", namespaces: ["shop"] });
  const send = async (asked: { path?: string; query?: string; body?: string }) => {
    const server = twoNamespaces();
    server.deps.store.apply(
      [
        ...server.deps.parseDocuments(`${object("shop")}---\n${object("other")}`, { defaultNamespace: "x" })
          .objects,
      ],
      { origin: "api", dryRun: false },
    );
    return await call({ method, path: asked.path ?? path }, caller, { server, ...asked });
  };
  if (of !== undefined) {
    test(`${route} stays in the caller's namespaces`, async () => {
      assert.equal((await send(of("other"))).status, refusal);
      const own = await send(of("shop"));
      assert.equal(own.status, 200, JSON.stringify(own.body));
    });
  }
  if (sees !== undefined) {
    test(`${route} shows the caller's namespaces alone`, async () => {
      const { status, body } = await send(sees);
      assert.equal(status, 200);
      assert.doesNotMatch(JSON.stringify(body), /other|"default"/);
      if (!/services|workloads/.test(path)) assert.match(JSON.stringify(body), /shop/);
    });
  }
}

test("an instance of another namespace is not taken over by its id", async () => {
  const server = twoNamespaces();
  const { status } = await call(
    { method: "PUT", path: "/v1/registry/embedded/instances/other" },
    as({ role: "operator", namespaces: ["shop"] }),
    { server, body: instance("shop") },
  );
  assert.equal(status, 403);
  assert.equal(server.instances.get("other")?.namespace, "other");
});

test("a join token for all namespaces is not to be had with a role in one", async () => {
  const { status } = await call(
    { method: "POST", path: "/v1/tokens" },
    as({ role: "operator", namespaces: ["shop"] }),
    { body: "{}" },
  );
  assert.equal(status, 403);
});

test("what is changed is written down before and after; what is read is not", async () => {
  const audit = new MemoryAudit();
  const api = openApi(fakeServer(), { audit, door: { admit: async () => as({ role: "editor" }) } });
  await api.inject({ method: "POST", url: "/v1/apply", payload: object("shop") });
  await api.inject({ url: "/v1/objects/VirtualService" });
  await api.inject({ method: "DELETE", url: "/v1/objects/VirtualService/shop/none" });
  await api.inject({ method: "POST", url: "/v1/tokens", payload: "{}" });
  assert.deepEqual(
    audit.events.map(({ action, outcome, actor, details }) => [
      action,
      outcome,
      actor,
      details?.["objects"],
      details?.["code"],
    ]),
    [
      ["POST /v1/apply", "attempted", "access-token:tester", undefined, undefined],
      ["POST /v1/apply", "done", "access-token:tester", ["VirtualService shop/x created"], undefined],
      ["DELETE /v1/objects/:kind/:namespace/:name", "attempted", "access-token:tester", undefined, undefined],
      [
        "DELETE /v1/objects/:kind/:namespace/:name",
        "refused",
        "access-token:tester",
        undefined,
        "object.not-found",
      ],
      ["POST /v1/tokens", "refused", "access-token:tester", undefined, undefined],
    ],
  );
});

test("of a ban or a step of the CA that is refused it is written down whom and what it was about", async () => {
  const audit = new MemoryAudit();
  const server = fakeServer();
  server.ca = { ...server.ca, next: { step: "activate", waitsFor: ["web-3"] } };
  const asAdmin = openApi(server, { audit });
  const asViewer = openApi(server, { audit, door: { admit: async () => as({ role: "viewer" }) } });
  const calls = [
    ["POST", "/v1/bans", { kind: "identity", value: "spiffe://d/ns/a/sa/b", reason: "x".repeat(9999) }],
    ["DELETE", "/v1/bans?kind=host&value=web-1", undefined],
    ["POST", "/v1/ca/step", { step: "activate", force: false }],
    ["POST", "/v1/ca/step", "no object"],
  ] as const;
  for (const api of [asAdmin, asViewer]) {
    for (const [method, url, body] of calls)
      await api.inject({ method, url, ...(body && { payload: JSON.stringify(body) }) });
  }
  const refused = audit.events.filter(({ outcome }) => outcome === "refused");
  const about = refused.map(({ action, details: { kind, value, step } = {} }) =>
    [action, kind ?? step, value].join(" ").trim(),
  );
  assert.deepEqual(about, [
    // The administrator's: nobody is banned by that name, a host is not ready, and the body is no step.
    "POST /v1/bans identity spiffe://d/ns/a/sa/b",
    "DELETE /v1/bans host web-1",
    "POST /v1/ca/step activate",
    "POST /v1/ca/step",
    // The viewer's.
    "POST /v1/bans identity spiffe://d/ns/a/sa/b",
    "DELETE /v1/bans host web-1",
    "POST /v1/ca/step activate",
    "POST /v1/ca/step",
  ]);
});

test("nothing is changed when it cannot be written down, and reading goes on", async () => {
  const server = fakeServer();
  const audit = new MemoryAudit();
  audit.isFull = true;
  const api = openApi(server, { audit });
  const refused = await api.inject({ method: "POST", url: "/v1/apply", payload: object("shop") });
  assert.deepEqual([refused.statusCode, refused.json<Problem>().code], [503, "audit.unavailable"]);
  assert.deepEqual(server.deps.store.list(), []);
  assert.equal((await api.inject({ url: "/v1/services" })).statusCode, 200);
});
