import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Agent, request } from "undici";
import type { Problem } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { type FakeServer, fakeServer } from "../../test/fakes/admin-deps.ts";
import { type Admin, createAdmin } from "./admin.ts";
import { ADMIN_ROUTES } from "./routes.ts";
import { adminOptions, ADMIN_TOKEN as TOKEN } from "./testing/admin-options.ts";
import { openApi } from "./testing/open-api.ts";

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS";
  readonly url: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

function client(server: FakeServer): (call: Call) => Promise<Reply> {
  const admin = openApi(server);
  return async ({ method = "GET", url, body, headers }) => {
    const response = await admin.inject({
      method,
      url,
      ...(body === undefined ? {} : { payload: body }),
      headers: { ...(body === undefined ? {} : { "content-type": "application/yaml" }), ...headers },
    });
    return { status: response.statusCode, body: response.json() };
  };
}

function object(name: string, spec = "{ hosts: [reviews] }"): string {
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
}

function startAdmin(t: TestContext, server = fakeServer()): { admin: Admin; directory: string } {
  const directory = mkdtempSync(join(tmpdir(), "lateen-admin-"));
  const admin = createAdmin(server.deps, adminOptions());
  t.after(async () => {
    await admin[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  return { admin, directory };
}

test("an applied object can be read back as its author wrote it, with its namespace", async () => {
  const call = client(fakeServer());
  const applied = await call({ method: "POST", url: "/v1/apply?namespace=shop", body: object("reviews") });
  assert.deepEqual(applied, {
    status: 200,
    body: {
      dryRun: false,
      objects: [{ kind: "VirtualService", namespace: "shop", name: "reviews", outcome: "created" }],
      violations: [],
      snapshot: 101,
      notices: [],
    },
  });
  const got = await call({ url: "/v1/objects/virtualservice/shop/reviews" });
  assert.deepEqual(got.body, {
    kind: "VirtualService",
    namespace: "shop",
    name: "reviews",
    object: {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "reviews", namespace: "shop" },
      spec: { hosts: ["reviews"] },
    },
    createdAt: "2026-01-02T03:04:05.000Z",
    revision: 1,
    origin: "api",
  });
});

test("one invalid object among valid ones keeps all of them out, and every violation is told", async () => {
  const server = fakeServer();
  const body = [object("a"), object("b", "{ wrong: 1 }"), object("c", "{ wrong: 1, odd: 2 }")].join("---\n");
  const refused = await client(server)({ method: "POST", url: "/v1/apply", body });
  const problem = refused.body as Problem;
  assert.equal(refused.status, 422);
  assert.equal(problem.code, "object.invalid");
  assert.deepEqual(
    problem.violations?.map(({ name, path, line, severity }) => [name, path, line, severity]),
    [
      ["b", "spec.wrong", 9, "error"],
      ["c", "spec.wrong", 14, "error"],
      ["c", "spec.odd", 14, "warning"],
    ],
  );
  assert.deepEqual(server.deps.store.list(), []);
});

test("a warning lets an object in, unless the caller is strict", async () => {
  const server = fakeServer();
  const call = client(server);
  const body = object("a", "{ odd: 1 }");
  const strict = await call({ method: "POST", url: "/v1/apply?strict=true", body });
  assert.equal(strict.status, 422);
  assert.equal(server.deps.store.list().length, 0);
  const lenient = await call({ method: "POST", url: "/v1/apply", body });
  assert.equal(lenient.status, 200);
  assert.equal((lenient.body as { violations: unknown[] }).violations.length, 1);
});

test("a dry run tells the outcome and stores nothing", async () => {
  const server = fakeServer();
  const reply = await client(server)({ method: "POST", url: "/v1/apply?dryRun=true", body: object("a") });
  assert.deepEqual(reply.body, {
    dryRun: true,
    objects: [{ kind: "VirtualService", namespace: "default", name: "a", outcome: "created" }],
    notices: [],
    violations: [],
  });
  assert.equal(server.deps.store.list().length, 0);
});

test("a deleted object is gone, and deleting it again is not found", async () => {
  const call = client(fakeServer());
  await call({ method: "POST", url: "/v1/apply", body: object("a") });
  const path = "/v1/objects/VirtualService/default/a";
  const deleted = await call({ method: "DELETE", url: path });
  assert.deepEqual(deleted.body, { kind: "VirtualService", namespace: "default", name: "a", snapshot: 102 });
  const again = await call({ method: "DELETE", url: path });
  assert.equal(again.status, 404);
  assert.equal((again.body as Problem).code, "object.not-found");
});

const badRequests: readonly { name: string; call: Call; status: number; code: string; message: RegExp }[] = [
  {
    name: "an empty body",
    call: { method: "POST", url: "/v1/apply", body: "" },
    status: 400,
    code: "admin.request",
    message: /no object/,
  },
  {
    name: "an unknown query key",
    call: { method: "POST", url: "/v1/apply?dryrun=1", body: object("a") },
    status: 400,
    code: "admin.request",
    message: /dryrun/,
  },
  {
    name: "a repeated query key",
    call: { url: "/v1/objects/VirtualService?namespace=a&namespace=b" },
    status: 400,
    code: "admin.request",
    message: /namespace/,
  },
  {
    name: "an unknown kind",
    call: { url: "/v1/objects/Gateways" },
    status: 404,
    code: "admin.not-found",
    message: /"Gateways"/,
  },
  {
    name: "an unknown path",
    call: { url: "/v2/apply" },
    status: 404,
    code: "admin.not-found",
    message: /GET \/v2\/apply/,
  },
  {
    name: "an unknown method of a known path",
    call: { method: "OPTIONS", url: "/v1/apply" },
    status: 404,
    code: "admin.not-found",
    message: /OPTIONS/,
  },
  {
    name: "a path that does not decode",
    call: { url: "/v1/objects/%ff" },
    status: 400,
    code: "admin.request",
    message: /well-formed/,
  },
  {
    name: "a snapshot that is no number",
    call: { url: "/v1/sync?snapshot=x" },
    status: 400,
    code: "admin.request",
    message: /snapshot/,
  },
  {
    name: "a wait beyond a minute",
    call: { url: "/v1/sync?snapshot=1&timeoutMs=60001" },
    status: 400,
    code: "admin.request",
    message: /timeoutMs/,
  },
  {
    name: "an unknown workload",
    call: { url: "/v1/proxies/default/none/config" },
    status: 404,
    code: "admin.not-found",
    message: /default\/none/,
  },
  {
    name: "calls of a time that is not kept",
    call: { url: "/v1/observed-calls?sinceMs=86400001" },
    status: 400,
    code: "admin.request",
    message: /sinceMs/,
  },
  {
    name: "calls to what is no workload",
    call: { url: "/v1/observed-calls?to=web-1" },
    status: 400,
    code: "admin.request",
    message: /namespace\/name/,
  },
  {
    name: "a simulation without a draft's form",
    call: { method: "POST", url: "/v1/authz/simulate", body: object("a") },
    status: 400,
    code: "admin.request",
    message: /no files/,
  },
  {
    name: "a simulation that deletes what is no object",
    call: {
      method: "POST",
      url: "/v1/authz/simulate?delete=AuthorizationPolicy/a",
      body: '{ "kind": "Files", "files": [] }',
    },
    status: 400,
    code: "admin.request",
    message: /AuthorizationPolicy\/a/,
  },
  {
    name: "an unknown resource type",
    call: { url: "/v1/proxies/default/none/config?type=secret" },
    status: 400,
    code: "admin.request",
    message: /type/,
  },
  {
    name: "a token body that is not JSON",
    call: { method: "POST", url: "/v1/tokens", body: "ttl: 5" },
    status: 400,
    code: "admin.request",
    message: /JSON/,
  },
  {
    name: "a token that lives too long",
    call: { method: "POST", url: "/v1/tokens", body: '{"ttlMs":86400001}' },
    status: 400,
    code: "admin.request",
    message: /ttlMs/,
  },
  {
    name: "an unknown field of an instance",
    call: {
      method: "PUT",
      url: "/v1/registry/embedded/instances/a",
      body: '{"service":"a","address":"10.0.0.1","port":80,"prot":1}',
    },
    status: 400,
    code: "admin.request",
    message: /prot/,
  },
  {
    name: "an instance with several faults",
    call: {
      method: "PUT",
      url: "/v1/registry/embedded/instances/a",
      body: '{"service":"A_","address":"here","port":0}',
    },
    status: 400,
    code: "admin.request",
    message: /service: .*address: .*port: /,
  },
  {
    name: "an instance whose id would break a terminal's line",
    call: {
      method: "PUT",
      url: "/v1/registry/embedded/instances/a%0ab",
      body: '{"service":"a","address":"10.0.0.1","port":80}',
    },
    status: 400,
    code: "admin.request",
    message: /id: must be 1 to 253 printable characters/,
  },
  {
    name: "a token for names that nobody can have",
    call: {
      method: "POST",
      url: "/v1/tokens",
      body: '{"ttlMs":1,"namespace":"A B","serviceAccounts":["../web"],"node":"vm-*","cidrs":["10.0.0.0/33"]}',
    },
    status: 400,
    code: "admin.request",
    message:
      /ttlMs: must be a second or more.*namespace: .*serviceAccounts\.0: .*node: must be the name of one.*cidrs\.0: must be a range/,
  },
  {
    name: "an instance that does not exist",
    call: { method: "DELETE", url: "/v1/registry/embedded/instances/a" },
    status: 404,
    code: "admin.not-found",
    message: /instance a/,
  },
  {
    name: "a body beyond 1 MiB",
    call: { method: "POST", url: "/v1/apply", body: "#".repeat(1024 * 1024 + 1) },
    status: 413,
    code: "admin.too-large",
    message: /1 MiB/,
  },
];

for (const { name, call, status, code, message } of badRequests) {
  test(`${name} is answered with ${status} ${code}`, async () => {
    const reply = await client(fakeServer())(call);
    const problem = reply.body as Problem;
    assert.deepEqual([reply.status, problem.code], [status, code]);
    assert.match(problem.message, message);
  });
}

test("a body of exactly 1 MiB is taken", async () => {
  const body = object("a");
  const padded = `${body}#${" ".repeat(1024 * 1024 - body.length - 1)}`;
  assert.equal((await client(fakeServer())({ method: "POST", url: "/v1/apply", body: padded })).status, 200);
});

test("an unknown error goes out as internal and nothing more", async () => {
  const server = fakeServer();
  for (const failure of [new Error("password is hunter2"), new MeshError("ca.self-check", "key at /x")]) {
    server.failure = failure;
    const reply = await client(server)({ url: "/v1/services" });
    assert.deepEqual(reply, {
      status: 500,
      body: { code: "internal", message: "internal error", hint: "the server's log has the reason" },
    });
  }
});

test("a wait for sync that is cut short tells how things stand", async () => {
  const server = fakeServer();
  server.sync = undefined;
  const reply = await client(server)({ url: "/v1/sync?snapshot=7&timeoutMs=5" });
  assert.deepEqual(reply.body, { snapshot: 7, acked: 1, total: 2, rejected: [] });
});

test("tokens are made with their binding, listed without their secret, and revoked", async () => {
  const server = fakeServer();
  const call = client(server);
  const body =
    '{"ttlMs":60000,"namespace":"shop","serviceAccounts":["web"],"node":"vm-1","cidrs":["10.1.0.0/16"]}';
  const made = await call({ method: "POST", url: "/v1/tokens", body });
  assert.equal((made.body as { token: string }).token, "lateen1.e30.pin.hush");
  const binding = { namespace: "shop", serviceAccounts: ["web"], node: "vm-1", cidrs: ["10.1.0.0/16"] };
  assert.deepEqual(server.created, [{ binding, ttlMs: 60_000 }]);
  const listed = await call({ url: "/v1/tokens" });
  assert.doesNotMatch(JSON.stringify(listed.body), /hush/);
  assert.equal((await call({ method: "DELETE", url: "/v1/tokens?id=t1" })).status, 200);
  assert.equal((await call({ method: "DELETE", url: "/v1/tokens?id=t1" })).status, 404);
});

test("an instance of the embedded registry is put with defaults, read and removed", async () => {
  const server = fakeServer();
  const call = client(server);
  const url = "/v1/registry/embedded/instances/web-1";
  const put = await call({ method: "PUT", url, body: '{"service":"web","address":"10.0.0.1","port":80}' });
  assert.equal(put.status, 200);
  assert.deepEqual(server.instances.get("web-1"), {
    id: "web-1",
    service: "web",
    namespace: "default",
    node: "",
    address: "10.0.0.1",
    port: 80,
    servicePort: undefined,
    protocol: undefined,
    labels: {},
    healthy: true,
    weight: 1,
    locality: "",
  });
  assert.equal((await call({ url })).status, 200);
  await call({ method: "DELETE", url });
  assert.equal((await call({ url })).status, 404);
});

test("every route of the API is a row, and every row is a route", () => {
  const registered: string[] = [];
  const admin = openApi(fakeServer());
  for (const { method, path } of ADMIN_ROUTES) {
    if (admin.hasRoute({ method, url: path })) registered.push(`${method} ${path}`);
  }
  assert.deepEqual(
    registered,
    ADMIN_ROUTES.map(({ method, path }) => `${method} ${path}`),
  );
  // Each leaf line of fastify's own tree names its methods in parentheses; their number is that of the rows.
  const served = [...admin.printRoutes({ commonPrefix: false }).matchAll(/\(([A-Z, ]+)\)/g)];
  assert.equal(served.flatMap((match) => match[1]?.split(", ") ?? []).length, ADMIN_ROUTES.length);
});

test("the unix socket needs no credential, is 0600 in a directory 0700, and replaces what a killed server left", async (t) => {
  const { admin, directory } = startAdmin(t);
  const socketPath = join(directory, "run", "admin.sock");
  await leaveStaleSocket(socketPath);
  await admin.listenUnix(socketPath);
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  assert.equal(statSync(join(directory, "run")).mode & 0o777, 0o700);
  const dispatcher = new Agent({ connect: { socketPath } });
  const response = await request("http://localhost/v1/version", { dispatcher });
  assert.equal(response.statusCode, 200);
  assert.equal(((await response.body.json()) as { trustDomain: string }).trustDomain, "cluster.local");
  await dispatcher.close();
});

test("a socket that a living server holds is left alone", async (t) => {
  const first = startAdmin(t);
  const socketPath = join(first.directory, "admin.sock");
  await first.admin.listenUnix(socketPath);
  const second = startAdmin(t);
  await assert.rejects(second.admin.listenUnix(socketPath), /another server is listening/);
  assert.ok(existsSync(socketPath));
});

test("a socket is not made where others may enter, nor over a file", async (t) => {
  const { admin, directory } = startAdmin(t);
  await assert.rejects(admin.listenUnix(join(tmpdir(), "lateen-test-admin.sock")), /others may enter/);
  const file = join(directory, "admin.sock");
  writeFileSync(file, "precious");
  await assert.rejects(admin.listenUnix(file), /is not a socket/);
  assert.ok(existsSync(file));
});

test("the TCP listener answers 401 without the token, 200 with it, and refuses to leave loopback", async (t) => {
  const { admin } = startAdmin(t);
  await assert.rejects(admin.listenTcp({ host: "0.0.0.0", port: 0 }), /without TLS/);
  const { port } = await admin.listenTcp({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${port}/v1/version`;
  const dispatcher = new Agent();
  const refused = await request(url, { dispatcher });
  assert.equal(refused.statusCode, 401);
  await refused.body.dump();
  const taken = await request(url, { dispatcher, headers: { authorization: `Bearer ${TOKEN}` } });
  assert.equal(taken.statusCode, 200);
  await taken.body.dump();
  await dispatcher.close();
});

test("closing ends calls that wait, and they still get their answer", async (t) => {
  const server = fakeServer();
  const entered = Promise.withResolvers<void>();
  const { admin, directory } = startAdmin(t, {
    ...server,
    deps: {
      ...server.deps,
      sync: {
        snapshotWith: async () => 1,
        waitForSync: async (_snapshot, signal) => {
          entered.resolve();
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          return { acked: 0, total: 1, rejected: [] };
        },
      },
    },
  });
  const socketPath = join(directory, "admin.sock");
  await admin.listenUnix(socketPath);
  const dispatcher = new Agent({ connect: { socketPath } });
  const waiting = request("http://localhost/v1/sync?snapshot=1&timeoutMs=60000", { dispatcher });
  await entered.promise;
  await admin[Symbol.asyncDispose]();
  const { statusCode, body } = await waiting;
  assert.equal(statusCode, 200);
  assert.deepEqual(await body.json(), { snapshot: 1, acked: 0, total: 1, rejected: [] });
  await dispatcher.close();
});

async function leaveStaleSocket(path: string): Promise<void> {
  mkdirSync(join(path, ".."), { mode: 0o700, recursive: true });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.live`, resolve));
  // Node unlinks the path that it listened on when it closes; under another name the file stays, dead.
  renameSync(`${path}.live`, path);
  await new Promise((resolve) => server.close(resolve));
}
