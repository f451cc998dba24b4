import assert from "node:assert/strict";
import { test } from "node:test";
import { filesBody } from "../../mesh/admin-api/replies.ts";
import { type FakeServer, fakeServer } from "../../test/fakes/admin-deps.ts";
import { openApi } from "./testing/open-api.ts";

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(server: FakeServer, method: "GET" | "POST", url: string, body?: unknown): Promise<Reply> {
  const admin = openApi(server);
  const payload = typeof body === "string" ? body : JSON.stringify(body);
  const response = await admin.inject({ method, url, ...(body === undefined ? {} : { payload }) });
  return { status: response.statusCode, body: response.json() };
}

function object(name: string, spec = "{ hosts: [reviews] }"): string {
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
}

test("files are applied together, and what is wrong with them has the file and its own line", async () => {
  const server = fakeServer();
  const good = { name: "good.yaml", text: object("a") };
  const bad = { name: "bad.yaml", text: `# first\n${object("b", "\n  wrong: 1")}` };
  const refused = await call(server, "POST", "/v1/apply", filesBody([good, bad]));
  const [violation] = refused.body["violations"] as Record<string, unknown>[];
  assert.deepEqual([refused.status, violation?.["file"], violation?.["line"]], [422, "bad.yaml", 6]);
  assert.deepEqual(server.deps.store.list(), []);
  assert.equal((await call(server, "POST", "/v1/apply", filesBody([good]))).status, 200);
  assert.equal(server.deps.store.list().length, 1);
});

test("one object in two files is refused, and both are named", async () => {
  const files = filesBody([
    { name: "one.yaml", text: object("a") },
    { name: "two.yaml", text: object("a") },
  ]);
  const { status, body } = await call(fakeServer(), "POST", "/v1/apply", files);
  const [violation] = body["violations"] as Record<string, unknown>[];
  assert.deepEqual([status, violation?.["file"]], [422, "two.yaml"]);
  assert.match(String(violation?.["message"]), /first at one\.yaml/);
});

test("an analysis tells what the schemas say with the rest, and takes no file at all as well", async () => {
  const server = fakeServer();
  server.messages = [
    { code: "LAT0009", severity: "Error", origin: "MeshConfig istio-system/b", message: "comes second" },
  ];
  const without = await call(server, "GET", "/v1/analysis");
  assert.deepEqual(without.body["items"], server.messages);
  const files = filesBody([{ name: "a.yaml", text: object("a", "{ odd: 1 }") }]);
  const { body } = await call(server, "POST", "/v1/analysis?namespace=shop", files);
  assert.deepEqual(
    (body["items"] as Record<string, unknown>[]).map(({ code, origin, file }) => [code, origin, file]),
    [
      ["LAT0009", "MeshConfig istio-system/b", undefined],
      ["IST0133", "VirtualService shop/a", "a.yaml"],
    ],
  );
  assert.deepEqual(server.overlays, [[], ["a.yaml a"]]);
});

test("a diff refuses objects with errors", async () => {
  const server = fakeServer();
  const files = (spec: string): unknown => filesBody([{ name: "a.yaml", text: object("a", spec) }]);
  assert.equal((await call(server, "POST", "/v1/diff", files("{ wrong: 1 }"))).status, 422);
  const { status, body } = await call(server, "POST", "/v1/diff?verbose", files("{}"));
  assert.deepEqual([status, body], [200, { objects: [], workloads: [] }]);
});

const refused: readonly (readonly [string, unknown])[] = [
  ["nothing", ""],
  ["plain YAML", object("a")],
  ["other JSON", { kind: "List" }],
  ["files without names", { kind: "Files", files: [{ text: "" }] }],
  ["files that are none", { kind: "Files", files: 1 }],
];
for (const [what, body] of refused) {
  test(`a diff of ${what} is a bad request`, async () => {
    const { status, body: problem } = await call(fakeServer(), "POST", "/v1/diff", body);
    assert.deepEqual([status, problem["code"]], [400, "admin.request"]);
  });
}
