import assert from "node:assert/strict";
import { test } from "node:test";
import type { Problem } from "../../mesh/admin-api/replies.ts";
import { formatPath } from "../../mesh/model/finding.ts";
import { fakeServer } from "../../test/fakes/admin-deps.ts";
import { BREAKS, broken } from "../../test/harness/broken-documents.ts";
import { Random } from "../../test/harness/random.ts";
import { VALID_OBJECTS } from "../../test/harness/valid-objects.ts";
import { parseConfig } from "../parse-config.ts";
import { openApi } from "./testing/open-api.ts";

test("of 1,000 invalid documents none is stored, nor what is applied beside it, and each message has its path", async () => {
  const server = fakeServer();
  server.parse = parseConfig;
  const admin = openApi(server);
  const apply = (documents: readonly unknown[]) =>
    admin.inject({
      method: "POST",
      url: "/v1/apply",
      payload: documents.map((one) => JSON.stringify(one)).join("\n---\n"),
      headers: { "content-type": "application/yaml" },
    });
  const good = { ...VALID_OBJECTS[0], metadata: { name: "beside-it" } };
  const random = new Random(20_261_201);
  for (let count = 0; count < 1000; count += 1) {
    const one = random.pick(BREAKS);
    const path = formatPath(one.path);
    const what = `${String(one.document["kind"])} ${path} = ${JSON.stringify(one.value)}`;
    const reply = await apply(count % 10 === 0 ? [good, broken(one)] : [broken(one)]);
    assert.equal(reply.statusCode, 422, `${what}: ${reply.body}`);
    const { violations = [] } = reply.json<Problem>();
    assert.ok(
      violations.some((violation) => violation.path === path && violation.severity === "error"),
      `${what}: ${reply.body}`,
    );
    for (const { path, message, line } of violations)
      assert.ok(message !== "" && path !== "" && line > 0, what);
  }
  assert.deepEqual(server.deps.store.list(), []);
  assert.equal((await apply([good])).statusCode, 200, "what is valid is taken still");
});
